"""Rows from the command line, one after the other, and the table of what is known."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.files import locked, write_text
from repflow_mm.markdown import markdown_table, write_sections
from version_matrix.core import CORE, run_core
from version_matrix.environment import COLUMNS, NotInstalled, make_environment, remove_environment, versions_of
from version_matrix.rows import ROOT, Row, rows

SECTION = 'versions'
MOST_FAILURES = 5


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/test_matrix.sh``."""
    names = [row.name for row in rows()]
    parser = argparse.ArgumentParser(
        prog='tools/test_matrix.sh',
        description='Run the core of the tests on other versions, each in an environment of its own; they are removed '
        'at the end. The same command goes on where it was stopped.',
    )
    parser.add_argument('rows', nargs='*', help=f'some of: {"; ".join(names)}; default: all')
    parser.add_argument('--folder', type=Path, default=ROOT / 'work_dirs' / 'test_matrix', help='where results are')
    parser.add_argument('--most-gb', type=float, default=3.0, help='what an environment may take on disk; default: 3')
    parser.add_argument('--again', action='store_true', help='run rows again that have a result')
    parser.add_argument('--docs', type=Path, help='Markdown file whose table is written anew after each row')
    args = parser.parse_args(argv)
    if unknown := [name for name in args.rows if name not in names]:
        parser.error(f'no row is called {unknown[0]!r}; the rows are {"; ".join(names)}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the rows, and write the table."""
    args = parse_args(argv)
    folder = args.folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            named = {row.name: row for row in rows()}
            for name in args.rows or named:
                _bring_up_to_date(named[name], folder, args)
                if args.docs is not None:
                    write_docs(folder, args.docs)
            remove_environment(folder)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on from here')


def _bring_up_to_date(row: Row, folder: Path, args: argparse.Namespace) -> None:
    path = folder / f'{row.name}.json'
    if path.is_file() and not args.again:
        return
    sys.stdout.write(f'{row.name} ...\n')
    sys.stdout.flush()
    result = run_row(row, folder, args.most_gb)
    write_text(path, [json.dumps(result, indent=1)])
    sys.stdout.write(f'{row.name}: {_words(result)}\n')


def run_row(row: Row, folder: Path, most_gb: float) -> dict:
    """Versions and outcome of a row."""
    versions: dict[str, str] = {}
    try:
        python = make_environment(row, folder, most_gb)
        versions = versions_of(python)
        result = run_core(python, folder / f'{row.name}.log')
    except NotInstalled as error:
        result = dict(outcome='not run', summary=str(error), failures=[])
    except subprocess.TimeoutExpired as error:
        result = dict(outcome='failed', summary=f'ended after {error.timeout:.0f} seconds', failures=[])
    return dict(row=row.name, versions=versions, **result)


def write_docs(folder: Path, docs: Path) -> None:
    """Replace what stands between the markers of ``docs`` by the table of all rows, with the results of a folder."""
    results = []
    for row in rows():
        path = folder / f'{row.name}.json'
        unknown = dict(row=row.name, versions={}, outcome='not run', summary='not run yet', failures=[])
        results.append(json.loads(path.read_text()) if path.is_file() else unknown)
    write_sections(docs, {SECTION: section(results)})


def section(results: Sequence[dict]) -> list[str]:
    """The table, what failed in each row, and which tests are the core."""
    columns = ('python', *COLUMNS)
    table = [[r['row'], *(r['versions'].get(name, '') for name in columns), _words(r)] for r in results]
    lines = markdown_table(['environment', *columns, 'core of the tests'], table).splitlines()
    for result in results:
        failures = result['failures']
        if failures:
            more = f'; {len(failures) - MOST_FAILURES} more' if len(failures) > MOST_FAILURES else ''
            lines += ['', f'{result["row"]}: ' + '; '.join(f'`{line}`' for line in failures[:MOST_FAILURES]) + more]
    return [*lines, '', 'The core: ' + ', '.join(f'`{name}`' for name in CORE) + '.']


def _words(result: dict) -> str:
    summary = ' '.join(result['summary'].split()).replace('|', '\\|')
    return summary if result['outcome'] == 'not run' else f'{result["outcome"]}: {summary}'


if __name__ == '__main__':
    main()

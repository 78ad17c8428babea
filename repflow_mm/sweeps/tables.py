"""Tables of a sweep's results: Markdown, CSV and pictures."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from repflow_mm.files import write_text
from repflow_mm.markdown import markdown_table
from repflow_mm.sweeps.code_version import code_version
from repflow_mm.sweeps.costs import REPEATS, Cost, total_cost
from repflow_mm.sweeps.pictures import ACCURACY_OVER_MS, BARS, write_accuracy_over_ms, write_bars
from repflow_mm.sweeps.results import (
    Accuracies,
    Predictions,
    mean_over_splits,
    paired_difference,
    row_accuracies,
    row_predictions,
)
from repflow_mm.sweeps.rows import Row
from repflow_mm.sweeps.runs import Run

CSV_COSTS = ('seconds a video', 'parameters', 'operations', 'machine')
COST_TITLES = ('parameters', 'GFLOP', 'ms a video')
COSTS = (
    'GFLOP: a multiply-add is two operations, convolutions, matrix products and flow layers alone; ms: the shortest of '
    f'{REPEATS} for a decoded video, TV-L1 included where the network is fed with it,'
)


class RowResult(NamedTuple):
    """What a table shows of a row.

    Args:
        accuracies (Accuracies): Top-1 by seed and split.
        means (dict[int, float]): Top-1 by seed, mean over the splits.
        predictions (Predictions, optional): Those of every clip, where they are asked for and there are some.
        cost (Cost, optional): What the row's networks cost together, where that was measured.
    """

    accuracies: Accuracies
    means: dict[int, float]
    predictions: Predictions | None = None
    cost: Cost | None = None


def protocol(run: Run) -> str:
    """Clips x crops, frames, size and data counts of a run's test, in a line."""
    dataset = run.cfg.test_dataloader.dataset
    steps = {step['type']: step for step in dataset.pipeline}
    sampler = steps.get('SampleFrames') or steps['UniformSample']
    crops = 3 if 'ThreeCrop' in steps else 10 if 'TenCrop' in steps else 1
    sizes = [steps[kind].crop_size for kind in ('CenterCrop', 'ThreeCrop', 'TenCrop') if kind in steps]
    size = f'{sizes[0]} pixels, ' if sizes else ''
    spread = (
        'over the whole clip' if sampler.type == 'UniformSample' else f'at interval {sampler.get("frame_interval", 1)}'
    )
    counts = f'{_count(run.cfg.train_dataloader.dataset.ann_file)} training, {_count(dataset.ann_file)} test clips'
    return f'{sampler.get("num_clips", 1)} × {crops} views, {sampler.clip_len} frames {spread}, {size}{counts}'


def _count(ann_file: str) -> int | str:
    path = Path(ann_file)
    return sum(1 for line in path.open() if line.strip()) if path.is_file() else 'unknown number of'


def write_table(
    name: str,
    rows: Sequence[Row],
    runs: Sequence[Run],
    work_dir: Path,
    costs: dict[str, Cost] | None = None,
    references: dict[str, str] | None = None,
    per_clip: bool = False,
    plot: str = BARS,
) -> None:
    """Write ``<name>.md``, ``<name>.csv`` and ``<name>.png`` from the runs that are finished so far.

    Args:
        name (str): The table's name.
        rows (Sequence[Row]): Its rows.
        runs (Sequence[Run]): Runs of every network with every seed, and of every split if there are splits.
        work_dir (Path): Folder to write to.
        costs (dict[str, Cost], optional): What was measured of networks, by their names, for columns of parameters,
            operations and run times, in which a late-fusion row has the sum of its networks'. Defaults to None, no such
            columns.
        references (dict[str, str], optional): For rows the row that they are compared with, seed by seed, in a column
            of differences. Defaults to None, no such column.
        per_clip (bool): Add columns of the interval over clips and of the mean class accuracy, and intervals to the
            differences. Defaults to False.
        plot (str): What ``<name>.png`` shows: ``'bars'``, or ``'accuracy_over_ms'``, where costs are known of all rows.
            Defaults to ``'bars'``.
    """
    splits = list(dict.fromkeys(run.split for run in runs))
    results = {row.name: _row_result(row, runs, splits, costs or {}, per_clip) for row in rows}
    used = [run for run in runs if any(run.network in row.networks for row in rows)]
    machines = sorted({result.cost.machine for result in results.values() if result.cost})
    notes = _notes(used, bool(references), per_clip, machines)
    text = markdown(name, results, splits, notes, references, per_clip)
    work_dir.mkdir(parents=True, exist_ok=True)
    write_text(work_dir / f'{name}.md', text.splitlines())
    write_text(work_dir / f'{name}.csv', _csv(results, runs).splitlines())
    _write_picture(work_dir / f'{name}.png', name, results, references or {}, plot)


def _row_result(
    row: Row, runs: Sequence[Run], splits: Sequence[int | None], costs: dict[str, Cost], per_clip: bool
) -> RowResult:
    """What the finished runs of a row and the costs of its networks come to."""
    accuracies = row_accuracies(row, runs)
    means = mean_over_splits(accuracies, splits)
    cost = total_cost([costs.get(network.name) for network in row.networks])
    return RowResult(accuracies, means, row_predictions(row, runs) if per_clip else None, cost)


def _write_picture(
    path: Path, title: str, results: dict[str, RowResult], references: dict[str, str], plot: str
) -> None:
    """A table's plot, or its bars where costs are missing; nothing without a finished row."""
    means = {row: result.means for row, result in results.items() if result.means}
    if means and plot == ACCURACY_OVER_MS and all(results[row].cost for row in means):
        milliseconds = {row: 1e3 * results[row].cost.seconds for row in means}
        write_accuracy_over_ms(path, title, means, milliseconds, references)
    elif means:
        write_bars(path, title, {row: result.means for row, result in results.items()})


def _notes(runs: Sequence[Run], with_differences: bool, per_clip: bool, machines: Sequence[str]) -> str:
    """Seeds, splits, protocol, machines and the devices and code that finished runs were made with, in a line."""
    finished = [result for run in runs if (result := run.result())]
    code = sorted({result['code'] for result in finished}) or [code_version()]
    devices = sorted({result.get('device') or 'a device that is not recorded' for result in finished})
    seeds, splits = dict.fromkeys(run.seed for run in runs), dict.fromkeys(run.split for run in runs)
    averaged = [] if None in splits else [f'mean over the splits (folds) {_joined(splits)}']
    # One run of each network and split: a protocol reads the whole lists, and seeds share it.
    protocols = sorted({protocol(run) for run in {(run.network, run.split): run for run in runs}.values()})
    explained = ['difference: mean ± standard error over the seeds'] if with_differences else []
    explained += ['intervals: 95 %, bootstrap over the test clips'] if per_clip else []
    explained += [f'{COSTS} on {_joined(machines)}'] if machines else []
    explained += [f'trained on {_joined(devices)}'] if devices else []
    return '; '.join([f'Seeds {_joined(seeds)}', *averaged, *protocols, *explained, ', '.join(code)]) + '.'


def _joined(values: Iterable) -> str:
    return ', '.join(map(str, values))


def markdown(
    name: str,
    results: dict[str, RowResult],
    splits: Sequence[int | None],
    notes: str,
    references: dict[str, str] | None = None,
    per_clip: bool = False,
) -> str:
    """The table with mean ± standard deviation over the seeds, each split's if there are any, costs, and notes.

    A seed's accuracy is its mean over the splits.
    """
    columns = [] if None in splits else list(splits)
    has_costs = any(result.cost for result in results.values())
    titles = [name, 'top-1, %', *(f'split {split}' for split in columns)]
    titles += ['interval', 'mean class, %'] if per_clip else []
    titles += [_difference_title(references)] if references else []
    titles += ['seeds', *(COST_TITLES if has_costs else [])]
    lines = []
    for row, result in results.items():
        of_splits = [[value for (_, s), value in result.accuracies.items() if s == split] for split in columns]
        cells = [row, *map(_mean_and_deviation, (result.means.values(), *of_splits))]
        cells += _clip_cells(result.predictions) if per_clip else []
        cells += [_difference(row, result, results, references)] if references else []
        lines.append([*cells, str(len(result.means)), *(_cost_cells(result.cost) if has_costs else [])])
    return f'{markdown_table(titles, lines)}\n\n{notes}\n'


def _mean_and_deviation(values: Iterable[float]) -> str:
    percent = [100 * value for value in values]
    if not percent:
        return '–'
    deviation = f' ± {statistics.stdev(percent):.1f}' if len(percent) > 1 else ''
    return f'{statistics.mean(percent):.1f}{deviation}'


def _clip_cells(predictions: Predictions | None) -> list[str]:
    """The interval over clips, and the mean class accuracy."""
    if predictions is None:
        return ['–', '–']
    low, high = predictions.interval()
    return [f'{100 * low:.1f} to {100 * high:.1f}', f'{100 * predictions.mean_class_accuracy:.1f}']


def _cost_cells(cost: Cost | None) -> list[str]:
    """Parameters, operations and run time."""
    if cost is None:
        return ['–'] * len(COST_TITLES)
    return [f'{cost.parameters:,}', f'{cost.operations / 1e9:.3g}', f'{1e3 * cost.seconds:.1f}']


def _difference_title(references: dict[str, str]) -> str:
    """What the column of differences is called: cells name the row of reference where there are several."""
    names = set(references.values())
    return f'minus {names.pop()}' if len(names) == 1 else 'difference to'


def _difference(row: str, result: RowResult, results: dict[str, RowResult], references: dict[str, str]) -> str:
    """The difference of a row's top-1 to that of its row of reference, in percentage points, with its interval."""
    other = results.get(references.get(row))
    found = None if other is None else paired_difference(result.means, other.means)
    if found is None:
        return '–'
    mean, error = found
    text = f'{references[row]}: ' if len(set(references.values())) > 1 else ''
    text += f'{100 * mean:+.1f}' + ('' if error is None else f' ± {100 * error:.1f}')
    both = result.predictions and other.predictions
    interval = result.predictions.difference_interval(other.predictions) if both else None
    return text if interval is None else f'{text} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})'


def _csv(results: dict[str, RowResult], runs: Sequence[Run]) -> str:
    """A column for each seed, or for each seed and split."""
    has_costs = any(result.cost for result in results.values())
    columns = dict.fromkeys((run.seed, run.split) for run in runs)
    titles = [f'seed {seed}' + ('' if split is None else f' split {split}') for seed, split in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['row', *titles, *(CSV_COSTS if has_costs else [])])
    for row, result in results.items():
        values = [result.accuracies.get(column, '') for column in columns]
        writer.writerow([row, *values, *((result.cost or [''] * len(CSV_COSTS)) if has_costs else [])])
    return text.getvalue()

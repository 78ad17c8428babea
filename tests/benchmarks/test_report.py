import json

import pytest

from repflow_mm.benchmarks import models, report, solver
from repflow_mm.benchmarks.parity import Case
from repflow_mm.ops import rep_flow_ref

TINY = solver.Problem(6, 7, pairs=2, channels=2, num_iters=2)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The benchmark at a size that takes no time, and where its results go."""
    monkeypatch.setattr(report, 'CASES', (Case((1, 1, 2, 5, 6), 2),))
    monkeypatch.setattr(report, 'Problem', lambda *size: TINY)
    monkeypatch.setattr(report, 'scaling_problems', lambda: [TINY])
    return tmp_path / 'results' / 'benchmark.json'


def run(out, *arguments):
    shown = []
    results = report.main([*arguments, '--repeats', '1', '--out', str(out)], show=shown.append)
    assert json.loads(out.read_text()) == results
    return results, ''.join(shown)


def test_solver_part_checks_then_times_and_writes(tiny):
    results, text = run(tiny, 'solver')
    names = [row['name'] for row in results['solver']]
    assert names[:2] == ['released layer', 'reference, eager']
    assert '| released layer |' in text
    assert {'cpu', 'cores', 'threads', 'torch', 'device'} <= set(results['hardware'])
    assert results['command'].startswith('tools/benchmark.py solver --repeats 1')


def test_every_part_has_a_table(tiny, monkeypatch):
    monkeypatch.setattr(models, 'SETTINGS', {'tiny': (18, 4, 64)})
    monkeypatch.setattr(report, 'SETTINGS', {'tiny': (18, 4, 64)})
    results, text = run(tiny, 'sizes', 'scaling', 'models', '--backward')
    assert [row['name'] for row in results['sizes']].count('released layer') == 4
    assert all(f'| {row["name"]} | 6×7 | 2 | 2 | 2 |' in text for row in results['scaling'])
    rows = {(row['name'], row['backward']) for row in results['models']}
    assert rows == {(name, b) for name in ('RGB', 'RepFlow', 'FcF', 'RGB, T - 1') for b in (False, True)}


def test_what_is_wrong_is_not_timed(tiny, monkeypatch):
    def wrong(*arguments):
        return rep_flow_ref(*arguments) + 1

    monkeypatch.setattr(report, 'solvers', lambda device, with_compile: {'broken': wrong})
    with pytest.raises(ValueError, match='u: error'):
        run(tiny, 'solver')
    assert not tiny.exists()


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--repeats', '0'], '--repeats must be >= 1, got 0'),
        (['nothing'], 'PART must be one of solver, sizes, scaling, models, got nothing'),
    ],
)
def test_bad_flags(flags, message, capsys):
    with pytest.raises(SystemExit):
        report.parse_args(flags)
    assert message in capsys.readouterr().err


def test_the_solver_is_the_default_part():
    assert report.parse_args([]).parts == ['solver']

import json
import struct

import pytest
import torch

from repflow_mm.benchmarks import models, report, solver
from repflow_mm.benchmarks.warps import draw_pair
from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.parity import Case

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
    if 'cpu' in names:
        assert names[-1] == 'arithmetic alone' and 'ms for its arithmetic alone' in text
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


def test_code_part_needs_no_solver(tiny, monkeypatch):
    row = dict(size=28, use='forward', pixels=7, threads=128, registers=127, spilled=0, instructions=51.4, seconds=0.8)
    monkeypatch.setattr(report, 'measure_code', lambda: [row])
    monkeypatch.setattr(report, 'solvers', lambda *_: pytest.fail('the solvers were built'))
    results, text = run(tiny, 'code')
    assert results['code'] == [row]
    assert '| 28×28 | forward | 7 | 128 | 127 | 0 | 51 | 0.8 |' in text


@pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')
def test_tvl1_part_compares_synthetic_and_real_pairs(tiny, monkeypatch):
    cv2 = pytest.importorskip('cv2')
    pytest.importorskip('cv2.optflow')
    monkeypatch.setattr(report, 'SIZES', (16, 20))
    files = [tiny.parent.parent / name for name in ('first.png', 'second.png', 'flow.flo')]
    for path, image in zip(files, draw_pair('shear', 24, seed=0)[:2]):
        cv2.imwrite(str(path), image[0].numpy())
    files[2].write_bytes(struct.pack('<fii', 202021.25, 24, 24) + bytes(8 * 24 * 24))
    flags = ('--device', 'cpu', '--pairs', '5', '--real-pair', *map(str, files))
    results, text = run(tiny, 'tvl1', *flags)
    assert [(row['width'], row['pairs']) for row in results['tvl1']] == [(16, 5)] * 2 + [(20, 5)] * 2 + [(24, 1)] * 2
    assert '| 5 of 20×20 | tvl1_flow, cpu on cpu |' in text and '| 1 of 24×24 | OpenCV DualTVL1 | ' in text


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
        (['tvl1', '--pairs', '0'], '--pairs must be >= 1, got 0'),
        (['flow_formats'], 'the flow_formats part needs --videos FILE ...'),
        (['nothing'], 'PART must be one of solver, sizes, scaling, models, tvl1, flow_formats, code, got nothing'),
    ],
)
def test_bad_flags(flags, message, capsys):
    with pytest.raises(SystemExit):
        report.parse_args(flags)
    assert message in capsys.readouterr().err


def test_the_solver_is_the_default_part():
    assert report.parse_args([]).parts == ['solver']

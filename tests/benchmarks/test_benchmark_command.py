import importlib
import json
import struct

import pytest
import torch
from helpers import ROOT, run_python

from benchmarks import command_line, compiled_code, models, solver, tvl1
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.parity import Case
from repflow_mm.testing.warps import draw_pair

TINY = solver.Problem(6, 7, pairs=2, channels=2, num_iters=2)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The benchmark at a size that takes no time, and where its results go."""
    monkeypatch.setattr(solver, 'CASES', (Case((1, 1, 2, 5, 6), 2),))
    monkeypatch.setattr(solver, 'Problem', lambda *size: TINY)
    monkeypatch.setattr(solver, 'scaling_problems', lambda: [TINY])
    monkeypatch.setattr(models, 'SETTINGS', {'tiny': (18, 4, 64)})
    return tmp_path / 'results' / 'benchmark.json'


def run(out, part, *flags):
    shown = []
    flags = [part, *flags, '--repeats', '1', '--device', 'cpu', '--out', str(out)]
    results = command_line.main(flags, show=shown.append)
    assert json.loads(out.read_text()) == json.loads(json.dumps(results))
    assert results['command'] == ' '.join(['tools/benchmark.py', *flags])
    assert {'cpu', 'cores', 'threads', 'torch', 'device'} <= set(results['hardware'])
    return results[part], ''.join(shown)


def test_solver(tiny):
    rows, text = run(tiny, 'solver')
    names = [row['name'] for row in rows]
    assert names[:2] == ['released layer', 'reference, eager']
    assert '| released layer |' in text
    if 'cpu' in names:
        assert names[-1] == 'arithmetic alone' and 'ms for its arithmetic alone' in text


def test_sizes(tiny):
    assert [row['name'] for row in run(tiny, 'sizes')[0]].count('released layer') == 4


def test_scaling(tiny):
    rows, text = run(tiny, 'scaling')
    assert all(f'| {row["name"]} | 6×7 | 2 | 2 | 2 |' in text for row in rows)


def test_models(tiny):
    rows = {(row['name'], row['backward']) for row in run(tiny, 'models', '--backward')[0]}
    assert rows == {(name, b) for name in ('RGB', 'RepFlow', 'FcF', 'RGB, T - 1') for b in (False, True)}


def test_code(tiny, monkeypatch):
    row = dict(size=28, use='forward', pixels=7, threads=128, registers=127, spilled=0, instructions=51.4, seconds=0.8)
    monkeypatch.setattr(compiled_code, 'measure_code', lambda: [row])
    rows, text = run(tiny, 'code')
    assert rows == [row]
    assert '| 28×28 | forward | 7 | 128 | 127 | 0 | 51 | 0.8 |' in text


@pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')
def test_tvl1_compares_synthetic_and_real_pairs(tiny, monkeypatch):
    cv2 = pytest.importorskip('cv2')
    pytest.importorskip('cv2.optflow')
    monkeypatch.setattr(tvl1, 'SIZES', (16, 20))
    files = [tiny.parent.parent / name for name in ('first.png', 'second.png', 'flow.flo')]
    for path, image in zip(files, draw_pair('shear', 24, seed=0)[:2]):
        cv2.imwrite(str(path), image[0].numpy())
    files[2].write_bytes(struct.pack('<fii', 202021.25, 24, 24) + bytes(8 * 24 * 24))
    rows, text = run(tiny, 'tvl1', '--pairs', '5', '--real-pair', *map(str, files))
    assert [(row['width'], row['pairs']) for row in rows] == [(16, 5)] * 2 + [(20, 5)] * 2 + [(24, 1)] * 2
    assert '| 5 of 20×20 | tvl1_flow, cpu on cpu |' in text and '| 1 of 24×24 | OpenCV DualTVL1 | ' in text


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['solver', '--repeats', '0'], 'argument --repeats: must be >= 1, got 0'),
        (['tvl1', '--pairs', '0'], 'argument --pairs: must be >= 1, got 0'),
        (['flow_formats'], 'the following arguments are required: --videos'),
        (['nothing'], "invalid choice: 'nothing'"),
        ([], 'the following arguments are required: PART'),
    ],
)
def test_bad_flags(flags, message, capsys):
    with pytest.raises(SystemExit):
        command_line.parse_args(flags)
    assert message in capsys.readouterr().err


def test_device_that_is_not_there():
    with pytest.raises(SystemExit) as ended:
        command_line.main(['solver', '--device', 'nowhere'], show=lambda text: None)
    assert str(ended.value).startswith("error: device 'nowhere' cannot be used: Expected one of cpu, cuda")
    assert '\n' not in str(ended.value)


def test_script(tmp_path):
    done = run_python(ROOT / 'tools' / 'benchmark.py', 'cost', '--frames', '1', cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, 'error: frames must be >= 3, got 1')


def test_every_part_can_be_called():
    """A module of benchmarks that the command line does not know could not be run."""
    files = (ROOT / 'tools' / 'benchmarks').glob('*.py')
    modules = [importlib.import_module(f'benchmarks.{file.stem}') for file in files if file.stem != 'command_line']
    parts = [name for module in modules for name in getattr(module, 'PARTS', {})]
    assert sorted(parts) == sorted(command_line.PARTS)

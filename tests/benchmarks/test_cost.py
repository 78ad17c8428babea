import json

import pytest
import torch

from benchmarks import command_line, cost
from benchmarks.cost import OPENCV, OURS, ROWS, Setting
from benchmarks.models import FCF, REP_FLOW, build_network
from repflow_mm.models.summary import count_parameters
from repflow_mm.ops import tvl1_flow
from repflow_mm.ops.image_pairs import grey
from repflow_mm.profiling.operations import network_operations

TINY = Setting(depth=18, frames=4, size=32)
NAMES = ['RGB', 'flow, TV-L1 by OpenCV', 'flow, TV-L1 by tvl1_flow', 'RGB + flow, TV-L1 by OpenCV',
         'RGB + flow, TV-L1 by tvl1_flow', 'RepFlow', 'FcF']  # fmt: skip


@pytest.fixture(scope='module')
def rows():
    pytest.importorskip('cv2.optflow')
    return {row['name']: row for row in cost.measure_costs(TINY, 'cpu', repeats=2)}


@pytest.fixture
def fast(monkeypatch):
    """Without the check of the backends, which has its own tests."""
    monkeypatch.setattr(cost, 'check_backends', lambda device: None)


def test_every_row_is_measured(rows):
    assert list(rows) == list(ROWS) == NAMES
    for row in rows.values():
        for key in ('seconds', 'network_seconds', 'flow_seconds'):
            assert row[key] is None or 0 < row[key]['min'] <= row[key]['median'] <= row[key]['max']
        assert row['peak_bytes'] > 0
    assert [name for name in rows if rows[name]['flow_seconds']] == NAMES[1:5]


def test_times_are_sums_of_the_parts():
    seconds = {'a': [1.0, 3.0], 'b': [10.0, 5.0], 'c': [0.5, 0.5]}
    assert cost._summed(seconds, ('a', 'b')) == dict(min=8.0, median=9.5, max=11.0)


def test_rows_share_their_parts(rows):
    assert rows[NAMES[1]]['network_seconds'] == rows[NAMES[2]]['network_seconds']
    assert rows[NAMES[1]]['flow_seconds'] == rows[NAMES[3]]['flow_seconds']
    assert rows['RGB']['seconds'] == rows['RGB']['network_seconds']


def test_parameters_are_those_of_the_networks(rows):
    rgb, repflow, fcf = (count_parameters(build_network(18, 4, flow, 'cpu')) for flow in (None, REP_FLOW, FCF))
    flow = rgb - 64 * 49  # the first convolution has two channels instead of three
    expected = [rgb, flow, flow, rgb + flow, rgb + flow, repflow, fcf]
    assert [row['parameters'] for row in rows.values()] == expected


def test_operations_are_those_of_the_networks(rows):
    rgb, _ = network_operations(build_network(18, 4, None, 'cpu'), (1, 3, 4, 32, 32))
    flow, _ = network_operations(build_network(18, 3, None, 'cpu', in_channels=2), (1, 2, 3, 32, 32))
    assert [rows[name]['operations'] for name in NAMES[:5]] == [rgb, flow, flow, rgb + flow, rgb + flow]
    assert [rows[name]['flow_operations'] for name in NAMES[:5]] == [0] * 5
    assert rows['RepFlow']['flow_operations'] == 32 * 3 * 4 * 4 * (42 + 20 * 69)


def test_two_streams_take_both_networks_and_the_flow():
    parts = cost.build_parts(TINY, 'cpu')
    u = cost.flow_clip(TINY.draw_frames(), tvl1_flow)
    assert u.shape == (1, 2, 3, 32, 32)
    found = parts.run((OURS, cost.FLOW_NETWORK, cost.RGB_NETWORK))
    with torch.no_grad():
        expected = [parts.networks[cost.FLOW_NETWORK](u)]
        expected.append(parts.networks[cost.RGB_NETWORK](parts.inputs[cost.RGB_NETWORK]))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_flow_network_gets_the_solver_of_its_row():
    pytest.importorskip('cv2.optflow')
    parts = cost.build_parts(TINY, 'cpu')
    (by_opencv,), (by_ours,) = (parts.run((name, cost.FLOW_NETWORK)) for name in (OPENCV, OURS))
    assert not torch.equal(by_opencv, by_ours)


def test_the_clip_moves():
    frames = TINY.draw_frames()
    assert frames.shape == (4, 3, 32, 32) and frames.dtype == torch.uint8
    first, second = cost.grey_pairs(frames)
    assert torch.equal(first[1:], second[:-1])
    assert torch.equal(first[0], grey(frames[:1])[0].round().to(torch.uint8))
    assert cost.flow_clip(frames, tvl1_flow).square().sum(dim=1).sqrt().mean() > 0.3


def test_table():
    row = dict(
        name='RGB', seconds=dict(min=0.01, median=0.02, max=1.0), flow_seconds=None,
        network_seconds=dict(min=0.01, median=0.02, max=1.0), peak_bytes=5_000_000, parameters=1234,
        operations=2_500_000_000, flow_operations=0,
    )  # fmt: skip
    flow = dict(
        row, name='flow', seconds=dict(min=0.03, median=0.04, max=1.0), flow_seconds=dict(min=0.02, median=1, max=1),
        flow_operations=12_345_000,
    )  # fmt: skip
    lines = cost.cost_table([row, flow]).splitlines()
    assert lines[2] == '| RGB | 10.0 | 20.0 | 1.00× | – | 10.0 | 5.0 | 1,234 | 2.5 | – |'
    assert lines[3] == '| flow | 30.0 | 40.0 | 3.00× | 20.0 | 10.0 | 5.0 | 1,234 | 2.5 | 0.0123 |'


SMALL = ['cost', '--depth', '18', '--frames', '3', '--size', '16', '--repeats', '1', '--device', 'cpu']


def test_command_line(fast, tmp_path):
    pytest.importorskip('cv2.optflow')
    shown, out = [], tmp_path / 'new' / 'cost.json'
    results = command_line.main([*SMALL, '--out', str(out)], show=shown.append)
    assert json.loads(out.read_text()) == json.loads(json.dumps(results))
    assert results['cost']['setting'] == dict(depth=18, frames=3, size=16)
    assert results['cost']['tvl1']['inner_iters'] == 30 and results['cost']['clip']['num_distractors'] == 3
    text = ''.join(shown)
    assert str(results['hardware']) in text and '| FcF | ' in text and "tvl1_flow: backend '" in text
    assert 'peak memory: the most that torch' in text
    assert 'ResNet-18 without head, one clip of 3×16×16' in text


def test_defaults():
    args = command_line.parse_args(['cost'])
    assert (args.depth, args.frames, args.size, args.repeats) == (34, 16, 112, 5)


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--depth', '33'], 'depth must be one of 18, 34, 50, 101, 152, got 33'),
        (['--frames', '2'], 'frames must be >= 3, got 2'),
        (['--size', '33'], 'size must be even and >= 16, got 33'),
        (['--size', '14'], 'size must be even and >= 16, got 14'),
    ],
)
def test_bad_flags_end_in_one_line(flags, message, fast):
    with pytest.raises(SystemExit) as ended:
        command_line.main(['cost', *flags], show=lambda text: None)
    assert str(ended.value) == f'error: {message}'


def test_missing_optflow_ends_in_one_line(fast, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__('sys').modules, 'cv2', None)
    with pytest.raises(SystemExit, match=r'^error: the comparison needs cv2\.optflow, of opencv-contrib-python'):
        command_line.main([*SMALL, '--out', str(tmp_path / 'cost.json')], show=lambda text: None)
    assert not list(tmp_path.iterdir())


def test_wrong_solver_is_not_timed(monkeypatch):
    monkeypatch.setattr(cost, 'rep_flow', lambda x, *terms: torch.zeros_like(x[:, :, 1:]).repeat(1, 2, 1, 1, 1))
    with pytest.raises(ValueError, match='u: error'):
        cost.check_backends('cpu')

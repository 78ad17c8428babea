import pytest
import torch

from benchmarks import tvl1
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.warps import draw_batch


def test_wrong_backend_is_not_timed(monkeypatch):
    monkeypatch.setattr(tvl1, 'tvl1_flow', lambda prev, following, backend, **few: torch.full((1,), len(backend)) * 0.1)
    with pytest.raises(ValueError, match=r'cpu is not timed: its flow is off by 0\.6 px \(allowed: 1e-08\)'):
        tvl1.check_tvl1('cpu')


@pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')
def test_rows_and_tables():
    pytest.importorskip('cv2.optflow')
    tvl1.check_tvl1('cpu')
    results = tvl1.measure_tvl1(*draw_batch(24, 6), repeats=1)
    assert [row['name'] for row in results] == ['OpenCV DualTVL1', 'tvl1_flow, cpu on cpu']
    for row in results:
        assert row['pairs_per_second'] == 6 / row['seconds']['min'] > 0
        assert len(row['end_point_errors']) == 6
    assert tvl1.tvl1_table(results).splitlines()[2].startswith('| 6 of 24×24 | OpenCV DualTVL1 |')
    first, last = results[1]['end_point_errors'][::5]
    assert f'| 24×24 | tvl1_flow, cpu on cpu | {(first + last) / 2:.4f} |' in tvl1.warps_table(results)

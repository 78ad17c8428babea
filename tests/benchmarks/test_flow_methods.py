import pytest
import torch
from helpers import ROOT

from benchmarks import flow_methods
from repflow_mm.classical_flow import METHODS
from repflow_mm.markdown import replace_section
from repflow_mm.testing.warps import draw_batch


@pytest.fixture(scope='module')
def results():
    return [flow_methods.measure_method(name, *draw_batch(24, 6), repeats=2) for name in METHODS]


def test_rows(results):
    threads = torch.get_num_threads()
    for name, row in zip(METHODS, results):
        assert row['name'] == name and (row['pairs'], row['height'], row['width']) == (6, 24, 24)
        assert len(row['end_point_errors']) == 6 and all(error < 4 for error in row['end_point_errors'])
        assert 0 < row['seconds']['min'] <= row['seconds']['max']
    assert torch.get_num_threads() == threads


def test_tables(results, monkeypatch):
    monkeypatch.setattr(flow_methods, 'SIZES', (24,))
    row = results[1]
    mean, rate = sum(row['end_point_errors']) / 6, 6 / row['seconds']['min']
    single = 6 / row['single_seconds']['min']
    assert (
        f'| `brox` | {mean:.4f} | {flow_methods._figure(rate)} | {flow_methods._figure(single)} |'
        in flow_methods.methods_table(results)
    )
    first, last = row['end_point_errors'][::5]
    assert f'| 24×24 | `brox` | {(first + last) / 2:.4f} |' in flow_methods.warps_table(results)
    hours = 306_245 * 249 / rate / 64 / 3600
    assert [flow_methods._figure(value) for value in (2154.3, 135.6, 10.56, 0.04321)] == [
        '2154',
        '136',
        '10.6',
        '0.0432',
    ]
    assert f'| 24×24 | `brox` | {flow_methods._figure(hours)} h |' in flow_methods.kinetics_table(results)
    text = flow_methods.report(results, 'A processor')
    assert text.startswith('One thread of A processor') and '6 synthetic pairs' in text


def test_the_docs_have_the_section():
    docs = ROOT / 'docs' / 'flow_methods.md'
    assert 'x y z' in replace_section(docs.read_text(), flow_methods.SECTION, ['x y z'], docs)

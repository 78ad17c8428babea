import sys

import pytest

from benchmarks import backbones
from benchmarks.command_line import main

RESNET = dict(type='ResNet', depth=18, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))
TINY = {
    'Tiny': (RESNET, 'layer1', (3, 3, 32, 32)),
    'absent': (dict(type='timm.absent'), 'layer1', (3, 3, 32, 32)),
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(backbones, 'BACKBONES', TINY)
    monkeypatch.setitem(sys.modules, 'timm', None)


def test_what_a_block_adds():
    row = backbones.measure_backbone('Tiny', 'cpu', 2)
    # Two 1x1 convolutions (64 to 32, 64 to 64), a norm, three scalars and two kernels of two taps for x and y.
    assert row['added'] == 64 * 32 + 64 * 64 + 2 * 64 + 3 + 2 * (2 * 32 * 2)
    assert row['layout'] == 'Frames' and row['features'] == [64, 3, 8, 8] and row['exact'] is True
    assert len(row['seconds']['total']) == len(row['seconds']['block']) == 2


def test_a_backbone_that_cannot_run_says_why():
    row = backbones.measure_backbone('absent', 'cpu', 1)
    assert row['reason'].startswith('the backbone timm.absent needs pip install timm (')


def test_the_table_goes_into_a_page(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('# Page\n<!-- backbones: begin -->\nold\n<!-- backbones: end -->\nend\n')
    lines = []
    arguments = ['backbones', '--repeats', '1', '--device', 'cpu', '--out', str(tmp_path / 'out.json')]
    main([*arguments, '--write-docs', str(page)], show=lines.append)
    text = page.read_text()
    assert 'old' not in text and text.startswith('# Page\n') and text.endswith('end\n')
    assert '| Tiny | `layer1` | Frames | 64 × 3 × 8 × 8 | 6,531 (' in text
    assert '| absent | `layer1` | not run |' in text
    assert 'absent: the backbone timm.absent needs pip install timm' in lines[-1]

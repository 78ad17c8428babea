from pathlib import Path

import pytest
import torch
from helpers import ROOT, shrink_config
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from repflow_mm.sweeps import learned_flow
from repflow_mm.sweeps.learned_flow import write_learned_flow
from repflow_mm.sweeps.rows import Network
from repflow_mm.sweeps.runs import Run


@pytest.fixture
def trained(motion_clips, tmp_path):
    """A run with a checkpoint at its end."""
    cfg = Config.fromfile(ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py')
    shrink_config(cfg, motion_clips, tmp_path)
    run = Run(Network('repflow', Path('repflow.py')), 0, tmp_path)
    run.__dict__['cfg'] = cfg
    run.folder.mkdir(parents=True)
    with DefaultScope.overwrite_default_scope('mmaction'):
        torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), run.folder / 'last.pth')
    return run


def test_flow_on_a_clip_of_each_class(trained, tmp_path):
    folder = Path(trained.cfg.test_dataloader.dataset.ann_file).parent
    labels = sorted({int(line.split()[-1]) for line in (folder / 'val.txt').read_text().splitlines()})
    names = (folder / 'classes.txt').read_text().splitlines()
    classes = [names[label] for label in labels[:2]]
    write_learned_flow(tmp_path / 'flow.png', {'RepFlow': trained}, classes)
    two = Image.open(tmp_path / 'flow.png')
    write_learned_flow(tmp_path / 'flow.png', {'RepFlow': trained}, classes[1:])
    one = Image.open(tmp_path / 'flow.png')
    assert two.width == one.width and two.height > 1.5 * one.height
    assert len(one.getcolors(one.width * one.height)) > 100


def test_other_classes_take_the_place_of_those_without_a_test_clip(trained, tmp_path, monkeypatch):
    """A table may be made of another data set than its pictures were meant for, or of one without names."""
    lines = (Path(trained.cfg.test_dataloader.dataset.ann_file)).read_text().splitlines()
    labels = dict.fromkeys(int(line.split()[-1]) for line in lines)
    chosen = [next(line for line in lines if line.endswith(f' {label}')) for label in list(labels)[:2]]
    numbers = sorted(line.split()[-1] for line in chosen)
    trained.cfg.test_dataloader.dataset.update(ann_file=str(tmp_path / 'list.txt'), indices=None)
    (tmp_path / 'list.txt').write_text('\n'.join(chosen))
    shown, warnings = [], []
    strips = learned_flow.flow_strips
    monkeypatch.setattr(learned_flow, 'flow_strips', lambda clips: shown.append([n for n, _ in clips]) or strips(clips))
    monkeypatch.setattr(learned_flow, 'print_log', lambda text, **_: warnings.append(text))
    write_learned_flow(tmp_path / 'flow.png', {'RepFlow': trained}, ['star', numbers[1], 'tick'])
    assert shown == [[f'{number} · RepFlow' for number in reversed(numbers)]]
    assert warnings == [f"no test clip is of 'star', 'tick': learned flow is shown of {numbers[1]}, {numbers[0]}"]

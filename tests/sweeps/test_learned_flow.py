from pathlib import Path

import pytest
import torch
from helpers import ROOT, shrink_config
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

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
    with pytest.raises(ValueError, match=r"classes must be any of \['left'.*\], got 'star'"):
        write_learned_flow(tmp_path / 'flow.png', {'RepFlow': trained}, ['star'])


def test_a_class_without_test_clips_is_named(trained, tmp_path):
    only = tmp_path / 'only.txt'
    folder = Path(trained.cfg.test_dataloader.dataset.ann_file).parent
    (tmp_path / 'classes.txt').write_text((folder / 'classes.txt').read_text())
    only.write_text((folder / 'val.txt').read_text().splitlines()[0] + '\n')
    trained.cfg.test_dataloader.dataset.ann_file = str(only)
    with pytest.raises(ValueError, match="no test clip is of class 'anticlockwise'"):
        write_learned_flow(tmp_path / 'flow.png', {'RepFlow': trained}, ['anticlockwise'])

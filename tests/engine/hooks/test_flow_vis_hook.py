import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import ROOT, shrink_config
from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine.runner import Runner
from mmengine.visualization import BaseVisBackend
from PIL import Image

from repflow_mm.engine import FlowVisHook
from repflow_mm.engine.hooks.flow_vis_hook import _drifts
from repflow_mm.models.layers import RepresentationFlow


@VISBACKENDS.register_module()
class NotingVisBackend(BaseVisBackend):
    """Keeps the names and steps of what it is given."""

    experiment = None

    def __init__(self, save_dir=None):
        self.noted = []

    def _init_env(self):
        pass

    def add_image(self, name, image, step=0, **kwargs):
        self.noted.append((name, step))

    def add_scalar(self, name, value, step=0, **kwargs):
        self.noted.append((name, step))

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self.noted.extend((name, step) for name in scalar_dict)


def make_runner(clips, work_dir, hook=None, file='configs/demo/repflow_r18_motion_clips.py', **settings):
    cfg = Config.fromfile(ROOT / file)
    shrink_config(cfg, clips, work_dir)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    if hook is not None:
        cfg.default_hooks.flow_vis = dict(type='FlowVisHook', **hook)
    cfg.randomness = dict(seed=0)
    cfg.merge_from_dict(settings)
    return Runner.from_cfg(cfg)


@pytest.fixture(scope='module')
def run(motion_clips, tmp_path_factory):
    """A run of two epochs, one iteration each, with two backends."""
    work_dir = tmp_path_factory.mktemp('run')
    backends = [dict(type='LocalVisBackend'), dict(type='NotingVisBackend')]
    runner = make_runner(
        motion_clips,
        work_dir,
        dict(interval=1, clips=2),
        **{'train_cfg.max_epochs': 2, 'visualizer.vis_backends': backends},
    )
    runner.train()
    return runner


def scalars_of(folder):
    lines = next(folder.rglob('vis_data/scalars.json')).read_text().splitlines()
    return [line for line in map(json.loads, lines) if 'flow/block1.flow0/theta' in line]


def test_curves(run):
    points = scalars_of(Path(run.work_dir))
    assert [point['step'] for point in points] == [1, 2]
    first, second = ({k.split('/')[-1]: v for k, v in point.items() if k != 'step'} for point in points)
    learned = ('drift of the flow gradient', 'drift of the divergence')
    assert set(first) == {'theta', 'lam', 'tau', 'length', 'clamped', *learned}
    layer = run.model.backbone.flow_blocks.block1.steps.flow0
    assert second['theta'] == pytest.approx(layer.theta.item()) and second['theta'] != 0.3
    assert all(0 < first[name] < second[name] for name in learned)
    assert 0 < first['clamped'] < 1 and first['length'] > 0


def test_pictures(run):
    pictures = sorted(Path(run.work_dir).rglob('vis_data/vis_image/flow_*.png'))
    assert [path.name for path in pictures] == ['flow_1.png', 'flow_2.png']
    image = np.asarray(Image.open(pictures[0]))
    # Two clips below each other: the frame, the mean flow, and the flow over the frame, each 128 pixels wide.
    assert image.shape[0] > 2 * 128 and 3 * 128 < image.shape[1] < 4 * 128
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 1000


def test_every_backend_gets_them(run):
    noted = run.visualizer.get_backend('NotingVisBackend').noted
    assert {('flow', 1), ('flow', 2), ('flow/block1.flow0/lam', 1), ('flow/block1.flow0/clamped', 2)} <= set(noted)


def test_nothing_is_left_on_the_layers(run):
    layer = run.model.backbone.flow_blocks.block1.steps.flow0
    assert not layer._forward_hooks


def test_training_is_the_same_without_the_hook(run, motion_clips, tmp_path):
    plain = make_runner(motion_clips, tmp_path, **{'train_cfg.max_epochs': 2})
    assert not [hook for hook in plain.hooks if isinstance(hook, FlowVisHook)], 'it is off by default'
    plain.train()
    other = run.model.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in plain.model.state_dict().items())


def test_a_resumed_run_goes_on_with_the_same_drift(run, motion_clips, tmp_path):
    checkpoint = str(Path(run.work_dir, 'epoch_1.pth'))
    hook = dict(interval=1, picture_interval=0)
    resumed = make_runner(
        motion_clips, tmp_path, hook, load_from=checkpoint, resume=True, **{'train_cfg.max_epochs': 2}
    )
    resumed.train()
    name = 'flow/block1.flow0/drift of the divergence'
    assert scalars_of(tmp_path)[0][name] == pytest.approx(scalars_of(Path(run.work_dir))[1][name])
    assert not list(tmp_path.rglob('vis_image/flow*'))


def test_a_network_without_flow_trains(motion_clips, tmp_path):
    runner = make_runner(motion_clips, tmp_path, {}, file='configs/demo/rgb_r18_motion_clips.py')
    runner.train()
    assert not list(tmp_path.rglob('vis_image/flow*'))
    assert 'FlowVisHook has nothing to show: the network has no flow layer' in next(tmp_path.rglob('*.log')).read_text()


def test_drift_by_hand():
    layer = RepresentationFlow(2, learn=('div', 'image_gradient'))
    start = {name: getattr(layer, name).detach().clone() for name in ('image_kernel', 'flow_kernel', 'div_kernel')}
    with torch.no_grad():
        layer.div_kernel.mul_(1.5)
    drifts = _drifts(layer, start)
    assert drifts == {
        'drift of the image gradient': 0.0,
        'drift of the flow gradient': 0.0,
        'drift of the divergence': pytest.approx(0.5),
    }


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(interval=0), 'interval must be >= 1, got 0'),
        (dict(picture_interval=-1), 'picture_interval must be >= 0, got -1'),
        (dict(clips=0), 'clips must be >= 1, got 0'),
        (dict(clips=[0, -2]), 'clips must be >= 0, got -2'),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        FlowVisHook(**arguments)


def test_clips_by_number():
    assert FlowVisHook(clips=[5, 1])._chosen(6) == [5, 1] and FlowVisHook(clips=3)._chosen(9) == [0, 3, 6]
    assert FlowVisHook(clips=4)._chosen(2) == [0, 1]
    with pytest.raises(ValueError, match='clips must be below 5, the size of the data set, got 5'):
        FlowVisHook(clips=[5, 1])._chosen(5)

"""MMAction2's clip_feature_extraction.py as it is, on a list whose videos are in another folder than the config's."""

import importlib.util
import pickle
import sys
from pathlib import Path
from types import ModuleType

import mmaction
import pytest
import torch
from helpers import ROOT
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import repflow_mm.registration  # noqa: F401
from repflow_mm.compat.feature_extraction import SCRIPT, heed_video_root

CONFIG = ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py'


@pytest.fixture
def script():
    """The script as a module that is not run."""
    path = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'misc' / SCRIPT
    spec = importlib.util.spec_from_file_location('script_of_features', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_features_of_videos_in_another_folder(script, motion_clips, tmp_path, monkeypatch):
    names = [line.split()[0] for line in (motion_clips / 'val.txt').read_text().splitlines()[:2]]
    (tmp_path / 'list.txt').write_text(''.join(f'{Path(name).name} 0\n' for name in names))
    init_default_scope('mmaction')
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(CONFIG).model).state_dict()), tmp_path / 'model.pth')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MOTION_CLIPS', 'nowhere')
    root = motion_clips / Path(names[0]).parent
    arguments = [CONFIG, 'model.pth', 'out', '--video-list', 'list.txt', '--video-root', root]
    monkeypatch.setattr(sys, 'argv', [SCRIPT, *map(str, arguments)])
    assert heed_video_root(script) and heed_video_root(script), 'a second time changes nothing'
    script.main()
    for name in names:
        features = pickle.loads((tmp_path / 'out' / f'{Path(name).name}.pkl').read_bytes())
        assert features.shape == (128,) and features.std() > 0


@pytest.mark.parametrize(
    ('kind', 'given', 'expected'),
    [
        ('CheckedVideoDataset', 'r', dict(video='r')),
        ('CheckedRawframeDataset', 'r', dict(img='r')),
        ('CheckedVideoDataset', None, dict(video='own')),
        ('VideoDataset', 'r', dict(video='r')),
        ('AnotherDataset', 'r', dict(video='own')),
    ],
)
def test_root_of_each_data_set(script, kind, given, expected, monkeypatch):
    heed_video_root(script)
    flags = [] if given is None else ['--video-root', given]
    monkeypatch.setattr(sys, 'argv', [SCRIPT, 'config.py', 'model.pth', 'out', *flags])
    dataset = dict(type=kind, ann_file='list.txt', data_prefix=dict(video='own'), pipeline=[])
    model = dict(type='Recognizer3D', backbone=dict(type='ResNet3d'))
    cfg = script.merge_args(Config(dict(model=model, test_dataloader=dict(dataset=dataset))), script.parse_args())
    assert cfg.test_dataloader.dataset.data_prefix == expected


def test_it_is_in_place_in_that_program_alone(monkeypatch):
    assert not heed_video_root()
    other = ModuleType('__main__')
    other.merge_args = lambda cfg, args: cfg
    for file in ('train.py', None):
        other.__file__ = file
        monkeypatch.setitem(sys.modules, '__main__', other)
        assert not heed_video_root()
    other.__file__ = f'/somewhere/{SCRIPT}'
    assert heed_video_root() and other.merge_args.is_workaround

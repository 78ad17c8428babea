import matplotlib.image
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from repflow_mm.apis import demo_picture
from repflow_mm.apis.scope import build_test_set

CONFIG = 'configs/demo/repflow_r18_motion_clips.py'


@pytest.fixture
def config(motion_clips, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    init_default_scope('mmaction')
    return Config.fromfile(CONFIG)


def test_picture_of_every_motion(config, tmp_path, capsys):
    model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    out = tmp_path / 'pictures' / 'flow.png'
    demo_picture.main([CONFIG, str(tmp_path / 'epoch_1.pth'), '--out', str(out)])
    assert str(out) in capsys.readouterr().out
    picture = matplotlib.image.imread(out)
    assert (
        picture.shape[1] > 3 * picture.shape[0] and len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 100
    )


def test_a_checkpoint_that_is_none_is_one_line(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'half')
    for name, message in (('a.pth', 'a.pth is no checkpoint'), ('none.pth', 'none.pth does not exist')):
        with pytest.raises(SystemExit, match=f'^error: checkpoint .*{message}'):
            demo_picture.main([CONFIG, str(tmp_path / name), '--out', str(tmp_path / 'flow.png')])


def test_sights_are_of_one_clip_a_class(config):
    model = MODELS.build(config.model).eval()
    sights = demo_picture.see_clips(model, build_test_set(config))
    names = ['left', 'right', 'up', 'down', 'zoom_in', 'zoom_out', 'clockwise', 'anticlockwise']
    assert [sight.motion for sight in sights] == names
    assert all(sight.predicted in names and sight.flow.shape == (2, 8, 8) for sight in sights)
    assert all(sight.frame.shape == (32, 32, 3) for sight in sights)

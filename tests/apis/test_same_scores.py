"""A clip has the same scores by every way that predicts, from an empty folder, whatever default scope is set."""

import json
import pickle

import numpy as np
import pytest
from helpers import ROOT, run_python

CONFIG = ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py'

# In the scope of another project, which has none of the names.
PROGRAM = """
import json, sys
import numpy as np
from mmengine.registry import init_default_scope
config, checkpoint, video = sys.argv[1:]
import repflow_mm.registration
init_default_scope('mmengine')
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer, MMAction2Inferencer
import repflow_mm
scores = {}
model = init_recognizer(config, checkpoint, device='cpu')
scores['inference_recognizer'] = inference_recognizer(model, video).pred_score.tolist()
init_default_scope('mmengine')
model = repflow_mm.get_model('repflow_r18_motion_clips', pretrained=checkpoint)
scores['get_model'] = inference_recognizer(model, video).pred_score.tolist()
init_default_scope('mmengine')
inferencer = ActionRecogInferencer(config, checkpoint, device='cpu')
scores['ActionRecogInferencer'] = inferencer(video)['predictions'][0]['pred_scores']
init_default_scope('mmengine')
inferencer = MMAction2Inferencer('repflow_r18_motion_clips', checkpoint, device='cpu')
scores['MMAction2Inferencer'] = inferencer(video)['predictions'][0]['rec_scores'][0]
from repflow_mm.apis.infer import main
init_default_scope('mmengine')
assert main([video, config, checkpoint, '--device', 'cpu', '--json', 'scores.json']) == 0
scores['infer'] = json.load(open('scores.json'))['predictions'][0]['scores']
json.dump(scores, open('all.json', 'w'))
"""


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Weights of the demo's network, with norms that have seen something."""
    import torch
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=0.5)
    model.train()(torch.randn(4, 1, 3, 8, 32, 32), mode='tensor')
    path = tmp_path_factory.mktemp('weights') / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def test_every_way_gives_the_same_scores(checkpoint, motion_clips, tmp_path):
    name, label = (motion_clips / 'val.txt').read_text().splitlines()[3].rsplit(' ', 1)
    (tmp_path / 'empty').mkdir()
    done = run_python(
        '-c', PROGRAM, CONFIG, checkpoint, motion_clips / name, cwd=tmp_path / 'empty', MOTION_CLIPS=str(motion_clips)
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / 'empty' / 'all.json').read_text())

    command = ['-m', 'repflow_mm', 'test', CONFIG, checkpoint, '--dump', 'dump.pkl']
    options = ['--cfg-options', 'test_dataloader.batch_size=1']
    done = run_python(*command, *options, cwd=tmp_path / 'empty', MOTION_CLIPS=str(motion_clips))
    assert done.returncode == 0, done.stderr
    samples = pickle.loads((tmp_path / 'empty' / 'dump.pkl').read_bytes())
    (sample,) = [s for s in samples if s['filename'].endswith(name)]
    scores['test'] = sample['pred_score'].tolist()

    expected = np.array(scores.pop('test'))
    assert expected.std() > 1e-3 and int(sample['gt_label']) == int(label)
    assert len(scores) == 5
    for way, found in scores.items():
        assert np.abs(np.array(found) - expected).max() <= 1e-5, way


def test_importing_the_package_stays_light(tmp_path):
    text = (
        'import sys, repflow_mm; assert repflow_mm.list_models("repflow*kinetics"); '
        'assert not {"torch", "mmengine", "mmaction", "numpy"} & set(sys.modules), set(sys.modules)'
    )
    done = run_python('-c', text, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

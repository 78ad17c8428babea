"""What is said, and what is found out, before the training begins; each wrong setting in one line."""

import re
from pathlib import Path

import pytest
import torch
from helpers import ROOT, shrink_config
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from repflow_mm.apis.built_model import check_model
from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.config_names import config_errors
from repflow_mm.apis.options import build_runner
from repflow_mm.models.summary import model_summary

DEMO = 'configs/demo/repflow_r18_motion_clips.py'


@pytest.fixture
def make_config(motion_clips, tmp_path):
    def make(**options):
        cfg = Config.fromfile(ROOT / DEMO)
        shrink_config(cfg, motion_clips, tmp_path / 'run')
        cfg.merge_from_dict(dict(options, launcher='none'))
        return cfg

    return make


def test_console_shows_the_model_and_the_log_everything(make_config, capsys):
    cfg = make_config()
    runner = build_runner(cfg, ('train', 'val'))
    runner.train()
    shown = capsys.readouterr().out
    before = shown[: shown.index('Epoch(train)')]
    assert len(before.splitlines()) < 50, before
    assert f'config: {cfg.work_dir}/repflow_r18_motion_clips.py' in before
    assert 'backbone.flow_blocks.block1: flow, 16 channels, 10 iterations' in before
    for text in ('paramwise_options', 'Hooks will be executed', 'System environment', 'train_pipeline'):
        assert text not in shown
    text = next(Path(runner._log_dir).glob('*.log')).read_text()
    for part in ('Hooks will be executed', 'System environment', 'train_pipeline = [', 'backbone.flow_blocks.block1'):
        assert part in text


WRONG = {
    'pretrained': (
        {'model.backbone.pretrained': '/none.pth'},
        r'model\.backbone\.pretrained: /none\.pth does not exist; give a file with --cfg-options model',
    ),
    'offline': (
        {'model.backbone.pretrained': 'http://127.0.0.1:9/none.pth'},
        r'model\.backbone\.pretrained: .* cannot be downloaded: .*refused.*give a file with --cfg-options',
    ),
    'flow_key': ({'model.backbone.flow.aftr': 'block1'}, "flow has no argument 'aftr', nearest is 'after'"),
    'name': (
        {'model.backbone.type': 'RepFlowResnet'},
        "model.backbone has type 'RepFlowResnet', which the registry of models does not have; the nearest are RepFlowR",
    ),
    'transform': (
        {'val_dataloader.dataset.pipeline.1.type': 'SampleFrame'},
        r"val_dataloader\.dataset\.pipeline\[1\] has type 'SampleFrame', which .* of transforms .*SampleFrames",
    ),
    'argument': (
        {'model.backbone.dept': 18},
        "the config cannot be built: .*unexpected keyword argument 'dept'",
    ),
    'argument_type': (
        {'model.backbone.flow.num_iters': '10'},
        "the config cannot be built: .*num_iters must be an int, got str '10'",
    ),
    'channels': (
        {'model.cls_head.in_channels': 512},
        'model.cls_head.in_channels is 512, but the backbone, RepFlowResNet, gives 128 channels: set it to 128',
    ),
    'text': ({'load_from': str(ROOT / 'LICENSE')}, 'checkpoint .*LICENSE is no checkpoint: it is text, which begins'),
}


@pytest.mark.parametrize(('options', 'message'), WRONG.values(), ids=WRONG)
def test_wrong_settings_end_in_one_line(make_config, options, message):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        build_runner(make_config(**options), ('train', 'val'))
    assert re.search(f'^error: {message}', ended.value.code) and '\n' not in ended.value.code, ended.value.code


def test_label_out_of_range_by_the_heads_classes(make_config, motion_clips, tmp_path):
    lines = (motion_clips / 'train.txt').read_text().splitlines()
    (tmp_path / 'bad.txt').write_text('\n'.join([*lines[:3], lines[3].rsplit(' ', 1)[0] + ' 8']))
    cfg = make_config(**{'train_dataloader.dataset.ann_file': str(tmp_path / 'bad.txt')})
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.pop('num_classes')
    with pytest.raises(ValueError, match=r'bad\.txt, line 4: .* the label must lie in \[0, 8\), got 8'):
        build_runner(cfg, ('train', 'val'))


def test_other_errors_of_building_stay_what_they_are():
    for error in (KeyError('x'), TypeError('unsupported operand')):
        with pytest.raises(type(error)), config_errors():
            raise error


class Recognizer(nn.Module):
    def __init__(self, backbone, in_channels):
        super().__init__()
        self.backbone, self.cls_head = backbone, nn.Module()
        self.cls_head.in_channels = in_channels


def test_heads_of_any_backbone_are_compared():
    backbone = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU())
    check_model(Recognizer(backbone, 4), is_trained_anew=True)
    with pytest.raises(ValueError, match='is 5, but the backbone, Sequential, gives 4 channels'):
        check_model(Recognizer(backbone, 5), is_trained_anew=False)
    check_model(Recognizer(nn.Linear(7, 7), 5), is_trained_anew=False)  # which no trial input fits


def test_weights_that_are_not_loaded_need_not_be_there():
    model = Recognizer(nn.Conv3d(3, 4, 3), 4)
    model.backbone.pretrained = '/none.pth'
    check_model(model, is_trained_anew=False)
    with pytest.raises(FileNotFoundError, match='/none.pth does not exist'):
        check_model(model, is_trained_anew=True)
    model.backbone.pretrained = None
    check_model(model, is_trained_anew=True)


def test_weights_of_init_cfg_are_looked_at(tmp_path):
    model = Recognizer(nn.Conv3d(3, 4, 3), 4)
    model.init_cfg = dict(type='Pretrained', checkpoint='/none.pth')
    message = r'^model\.init_cfg\.checkpoint: /none\.pth does not exist; .*checkpoint=PATH, .* model\.init_cfg=None$'
    with pytest.raises(FileNotFoundError, match=message):
        check_model(model, is_trained_anew=True)
    path = str(tmp_path / 'a.pth')
    torch.save({f'module.encoder.{name}': value for name, value in model.backbone.state_dict().items()}, path)
    given = dict(type='Pretrained', checkpoint=path, prefix='encoder.')
    model.init_cfg, model.backbone.init_cfg = None, [dict(type='Kaiming', layer='Conv3d'), given]
    check_model(model, is_trained_anew=True)
    given['prefix'] = 'backbone'
    message = rf"^model\.backbone\.init_cfg\.1\.checkpoint: no tensor of {path} is in 'backbone', .* with: encoder$"
    with pytest.raises(ValueError, match=message):
        check_model(model, is_trained_anew=True)
    torch.save({'flow_layer.img_grad': torch.ones(4, 1, 1, 3)}, path)
    with pytest.raises(ValueError, match='own names: convert it once'):
        check_model(model, is_trained_anew=True)


def test_summary_of_a_network_without_flow():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    lines = model_summary(network)
    assert lines[0] == 'Sequential: 16 parameters' and lines[-1] == '  no flow blocks'
    assert lines[1].split() == ['0:', 'Conv2d', '16'] and lines[2] == '  1: ReLU'


def test_summary_of_flow_blocks(make_config):
    init_default_scope('mmaction')
    cfg = make_config(**{'model.backbone.flow.learn': ()})
    model = MODELS.build(cfg.model)
    flow = model_summary(model)[-1]
    parameters = sum(p.numel() for p in model.backbone.flow_blocks.parameters())
    assert flow.endswith(f'fusion none, learns nothing; {parameters:,} parameters')

import itertools
import os

import pytest
import torch
from helpers import config_files
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from yapf.yapflib import yapf_api

from repflow_mm.compat import apply_workarounds
from repflow_mm.compat.config_text import parse_config_text

apply_workarounds()


@pytest.fixture
def made(tmp_path):
    """What the payloads of a test would make."""
    return tmp_path / 'made'


@pytest.fixture
def resume(tmp_path, monkeypatch):
    """Resume a run of one weight from a checkpoint with the ``meta`` given."""
    for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
        monkeypatch.setattr(kind, '_instance_dict', kind._instance_dict.copy())
    runs = itertools.count()

    def resume(**meta):
        model = torch.nn.Linear(1, 1)
        hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
        meta = dict(epoch=3, iter=12, **meta)
        torch.save(dict(meta=meta, state_dict=model.state_dict(), message_hub=hub), tmp_path / 'epoch_3.pth')
        dataset = torch.utils.data.TensorDataset(torch.ones(4, 1))
        runner = Runner(
            model=_Model(),
            work_dir=str(tmp_path),
            train_dataloader=torch.utils.data.DataLoader(dataset),
            train_cfg=dict(by_epoch=True, max_epochs=5),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            experiment_name=f'{tmp_path.name}_{next(runs)}',
            default_scope='mmengine',
        )
        runner.resume(str(tmp_path / 'epoch_3.pth'))
        return runner

    return resume


class _Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 1))
        self.bias = torch.nn.Parameter(torch.ones(1))


def payload(made):
    return f'import os\nos.system("touch {made}")\ngpu_ids = range(1)\n'


def test_resume_does_not_run_a_checkpoints_config(resume, made):
    runner = resume(config=payload(made))
    assert runner.epoch == 3 and runner.iter == 12
    assert not made.exists()


@pytest.mark.parametrize('config', ['_base_ = "{}"', 'custom_imports = dict(imports=["evil_module"])'])
def test_resume_runs_no_file_that_a_checkpoints_config_names(resume, made, tmp_path, config, monkeypatch):
    (tmp_path / 'evil_module.py').write_text(payload(made))
    monkeypatch.syspath_prepend(tmp_path)
    resume(config=config.format(tmp_path / 'evil_module.py'))
    assert not made.exists()


def test_resume_compares_what_is_data(resume):
    resume(config='gpu_ids = [0]\n')
    with pytest.raises(RuntimeError, match='Number of GPUs used for current experiment is not consistent'):
        resume(config='gpu_ids = [0, 1]\n')


@pytest.mark.parametrize('config', [7, None, ['gpu_ids = [0]'], 'gpu_ids = [', 'gpu_ids = list(range(2))'])
def test_resume_leaves_what_is_no_data(resume, config):
    assert resume(config=config).epoch == 3


class _Inferencer(BaseInferencer):
    visualize = preprocess = postprocess = _init_pipeline = None


@pytest.mark.parametrize('config', ['{}', 'model = dict(type="os.system", command="touch {}")'], ids=['code', 'type'])
def test_inferencer_does_not_run_a_checkpoints_config(made, tmp_path, config):
    text = payload(made) if config == '{}' else config.format(made)
    torch.save(dict(meta=dict(cfg=text), state_dict={}), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='config text is refused'):
        BaseInferencer._init_model(object.__new__(_Inferencer), Config(), str(tmp_path / 'a.pth'), 'cpu')
    assert not made.exists()


@pytest.mark.parametrize('file', config_files()[::12])
def test_own_configs_are_data(file):
    cfg = Config.fromfile(file)
    assert Config.fromstring(cfg.pretty_text, '.py').to_dict() == cfg.to_dict()


def test_values():
    text = "a = -1\nb = [1.5, (None, True), {'x': 'y'}]\nc = dict({'1 x': 2}, z=dict(type='mmaction.Recognizer3D'))\n"
    assert parse_config_text(text) == dict(
        a=-1, b=[1.5, (None, True), {'x': 'y'}], c={'1 x': 2, 'z': dict(type='mmaction.Recognizer3D')}
    )
    assert parse_config_text('') == {}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a = 1\nb = open("x")', r"line 2 is more than data: \"open\('x'\)\""),
        ('a = [dict(b=__import__("os"))]', r'line 1 is more than data'),
        ('a = dict(**{"b": 1})', r'line 1 is more than data'),
        ('a = dict([1])', r'line 1 is more than data'),
        ('a = {**{}}', r'line 1 is more than data'),
        ('a = {[]: 1}', r'line 1 is more than data'),
        ('a = f"{1}"', r'line 1 is more than data'),
        ('a.b = 1', r"line 1 is more than data: 'a\.b = 1'"),
        ('a = b = 1', r'line 1 is more than data'),
        ('import os', r"line 1 is more than data: 'import os'"),
        ('def f():\n    pass', r"line 1 is more than data: 'def f\(\):'"),
        ('_base_ = "other.py"', r"it has a base, 'other\.py', which would be run"),
        ('a = [', 'config text cannot be read: '),
        ('a = "\0"', 'config text cannot be read: '),
        ('a = ' + '[' * 5000 + ']' * 5000, 'config text cannot be read: '),
        ('a = dict(type="subprocess.run")', r"type 'subprocess\.run' names an object by its module"),
        ('a = [(dict(type="mmengine.dump"),)]', r"type 'mmengine\.dump' names an object by its module"),
        ('a = dict(type="mmaction.models.x")', r"type 'mmaction\.models\.x' names an object by its module"),
        ('a = dict(type="mmpose.Missing")', r"type 'mmpose\.Missing' names an object by its module"),
    ],
)
def test_what_is_more_than_data_is_named(text, message):
    with pytest.raises(ValueError, match=message) as error:
        Config.fromstring(text, '.py')
    assert '\n' not in str(error.value)


def test_other_formats_are_left_to_upstream():
    assert Config.fromstring('{"a": 1}', '.json').a == 1


def test_a_text_is_formatted_once(monkeypatch):
    formatted = []

    def reformat(*arguments, **settings):
        formatted.append(arguments)
        return upstream(*arguments, **settings)

    upstream = yapf_api.reformatter.Reformat
    monkeypatch.setattr(yapf_api.reformatter, 'Reformat', reformat)
    texts = [Config(dict(a=number, b=dict(c=['of this test']))).pretty_text for number in (1, 1, 2, 1)]
    assert len(formatted) == 2
    assert texts == [f"a = {number}\nb = dict(c=[\n    'of this test',\n])\n" for number in (1, 1, 2, 1)]


def test_configs_on_this_machine_may_hold_code(tmp_path):
    (tmp_path / 'a.py').write_text('import os\na = os.sep\n')
    assert Config.fromfile(tmp_path / 'a.py').a == os.sep

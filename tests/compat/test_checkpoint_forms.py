import io
import sys

import pytest
import torch
import weight_forms
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from safetensors.torch import save_file
from torch import nn

from repflow_mm.compat import apply_workarounds, checkpoint_forms, checkpoints

apply_workarounds()


class Network(BaseModel):
    """A backbone with a norm, whose counter is an integer, and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        self.cls_head = nn.Linear(3, 2)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.cls_head(self.backbone(inputs)).square().mean())


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    network = Network()
    network.backbone(torch.rand(5, 4))
    return network


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize('is_whole_file', [False, True], ids=['state_dict', 'whole file'])
@pytest.mark.parametrize('form', weight_forms.STATE_DICTS)
def test_every_form_loads(network, tmp_path, form, is_whole_file):
    state = weight_forms.STATE_DICTS[form](network)
    torch.save(state if is_whole_file else dict(state_dict=state, meta={}), tmp_path / 'a.pth')
    model = Network()
    content = load_checkpoint(model, str(tmp_path / 'a.pth'), map_location='cpu', strict=True)
    assert_same(model.state_dict(), network.state_dict())
    found = checkpoint_forms.state_dict_of(content, 'a.pth')
    assert_same(found, network.state_dict())
    if hasattr(state, '_metadata') and len(state._metadata) > 1:
        assert found._metadata['backbone.1'] == dict(version=2) and 'module' not in found._metadata


def test_part_of_a_network_that_is_called_module_stays():
    state = {'module.weight': torch.ones(1), 'bias': torch.ones(1)}
    assert checkpoint_forms.plain_names(state) is state
    state = {'steps': torch.ones(1), 'bias': torch.ones(1), 'backbone.steps.weight': torch.ones(1)}
    assert checkpoint_forms.plain_names(state) is state


@pytest.mark.parametrize('prefix', ['', 'module._orig_mod.'])
@pytest.mark.parametrize('name', ['a.safetensors', 'a.bin'])
def test_safetensors(network, tmp_path, name, prefix):
    save_file({prefix + key: value for key, value in network.state_dict().items()}, tmp_path / name)
    content = CheckpointLoader.load_checkpoint(str(tmp_path / name), map_location=torch.device('cpu'))
    assert list(content) == ['state_dict']
    assert set(content['state_dict']) == set(network.state_dict())
    model = Network()
    load_checkpoint(model, str(tmp_path / name), map_location='cpu', strict=True)
    assert_same(model.state_dict(), network.state_dict())
    read = checkpoints._read(io.BytesIO((tmp_path / name).read_bytes()), name, None)
    assert set(read['state_dict']) == set(network.state_dict())


def test_safetensors_that_are_cut(network, tmp_path):
    path = tmp_path / 'a.safetensors'
    save_file(network.state_dict(), path)
    for size in (0, 4, 200, path.stat().st_size - 1):
        cut = tmp_path / f'{size}.safetensors'
        cut.write_bytes(path.read_bytes()[:size])
        with pytest.raises(ValueError, match=rf'^checkpoint {cut} is damaged or incomplete: \S'):
            CheckpointLoader.load_checkpoint(str(cut))


def test_safetensors_without_the_package(network, tmp_path, monkeypatch):
    save_file(network.state_dict(), tmp_path / 'a.safetensors')
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    with pytest.raises(ValueError, match=r"a\.safetensors needs the package safetensors: pip install 'repflow_mm\[saf"):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.safetensors'))


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (dict(model=dict(weight=torch.ones(1)), epoch=3), "'model', 'epoch'"),
        (dict(state_dict=[1]), "'state_dict'"),
        ([1], 'list'),
    ],
)
def test_weights_under_another_name(content, found):
    with pytest.raises(ValueError, match=rf'^checkpoint a\.pth holds no state dict, .*; it holds {found}\. .*dict\('):
        checkpoint_forms.state_dict_of(content, 'a.pth')


number_of_runs = 0


def runner(folder, epochs, load_from=None, resume=False):
    """A runner with EMAHook whose batches are always the same."""
    global number_of_runs
    number_of_runs += 1
    torch.manual_seed(1)
    return Runner(
        Network(),
        str(folder),
        train_dataloader=dict(
            dataset=torch.eye(4),
            batch_size=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=lambda samples: dict(inputs=torch.stack(samples)),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.5, momentum=0.9)),
        custom_hooks=[EMAHook(momentum=0.3)],
        load_from=None if load_from is None else str(load_from),
        resume=resume,
        experiment_name=f'forms_{number_of_runs}',
    )


def wrapped_inside(content):
    """The checkpoint as if the network that the hook averaged had been distributed and compiled."""
    state = {f'module._orig_mod.{name}': value for name, value in content['state_dict'].items()}
    ema = {name.replace('module.', 'module.module._orig_mod.'): v for name, v in content['ema_state_dict'].items()}
    return dict(content, state_dict=state, ema_state_dict=ema)


def test_checkpoints_of_emahook(tmp_path):
    """The average is what is loaded; what is resumed from are the last weights, with the average beside them."""
    first = runner(tmp_path / 'first', epochs=2)
    first.train()
    saved = tmp_path / 'first' / 'epoch_2.pth'
    average = next(hook for hook in first.hooks if isinstance(hook, EMAHook)).ema_model.module.state_dict()
    content = CheckpointLoader.load_checkpoint(str(saved), map_location='cpu')
    assert_same(content['state_dict'], average)
    assert not torch.equal(average['cls_head.weight'], first.model.state_dict()['cls_head.weight'])

    torch.save(wrapped_inside(content), tmp_path / 'wrapped.pth')
    resumed = runner(tmp_path / 'second', epochs=2, load_from=tmp_path / 'wrapped.pth', resume=True)
    resumed.train()  # which has nothing to do but to load
    assert_same(resumed.model.state_dict(), first.model.state_dict())
    hook = next(hook for hook in resumed.hooks if isinstance(hook, EMAHook))
    assert_same(hook.ema_model.module.state_dict(), average)
    assert hook.ema_model.steps == 2


def test_hooks_of_a_runner_get_a_state_dict_of_a_plain_file(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    loaded = runner(tmp_path / 'run', epochs=0, load_from=tmp_path / 'a.pth')
    loaded.train()
    assert_same(loaded.model.state_dict(), network.state_dict())
    assert list(CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))) == list(network.state_dict())

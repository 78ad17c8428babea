import json
import os

import pytest
import torch
from mmaction.registry import MODELS

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis.checkpoint import check_checkpoint, checkpoint_of

FLOW = dict(after='block3', channels=4, num_iters=1)


def recognizer(depth=18, num_classes=5, **backbone):
    backbone = dict(type='RepFlowResNet', depth=depth, **backbone)
    head = dict(type='I3DHead', num_classes=num_classes, in_channels=512 if depth == 18 else 2048)
    return MODELS.build(
        dict(
            type='mmaction.Recognizer3D',
            backbone=backbone,
            cls_head=head,
            data_preprocessor=dict(type='mmaction.ActionDataPreprocessor', format_shape='NCTHW'),
            _scope_='mmaction',
        )
    )


def save(model, path):
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)


def test_own_checkpoint_fits(tmp_path):
    check_checkpoint(recognizer(flow=FLOW), save(recognizer(flow=FLOW), tmp_path / 'a.pth'), with_head=True)


def test_checkpoint_from_before_the_steps_had_their_name(tmp_path):
    model = recognizer(flow=FLOW)
    state = {name.replace('.steps.flow', '.stages.flow'): value for name, value in model.state_dict().items()}
    assert set(state) != set(model.state_dict())
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'a.pth')
    check_checkpoint(recognizer(flow=FLOW), str(tmp_path / 'a.pth'), with_head=True)


@pytest.mark.parametrize('flow', [None, FLOW])
def test_fine_tuning_takes_another_head_and_new_flow_blocks(tmp_path, flow):
    path = save(recognizer(num_classes=7, flow=flow), tmp_path / 'a.pth')
    check_checkpoint(recognizer(flow=FLOW), path, with_head=False)


def test_testing_needs_the_same_head(tmp_path):
    path = save(recognizer(num_classes=7), tmp_path / 'a.pth')
    with pytest.raises(
        ValueError, match=r'2 tensors do not fit, .*: cls_head.fc_cls.weight \(7, 512\) instead of \(5,'
    ):
        check_checkpoint(recognizer(), path, with_head=True)


def test_testing_needs_the_flow_blocks(tmp_path):
    path = save(recognizer(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'the first: backbone.flow_blocks.block3\S+ \(missing\) instead of'):
        check_checkpoint(recognizer(flow=FLOW), path, with_head=True)


def test_flow_blocks_that_the_config_lacks_are_named(tmp_path):
    path = save(recognizer(flow=FLOW), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'the first: backbone.flow_blocks.block3\S+ \(.*\) too many'):
        check_checkpoint(recognizer(), path, with_head=False)


def test_another_depth_is_refused(tmp_path):
    path = save(recognizer(50), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth is of another architecture than the config: .* tensors do not fit'):
        check_checkpoint(recognizer(), path, with_head=False)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        check_checkpoint(recognizer(), str(tmp_path / 'none.pth'), with_head=True)


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Give a file a name in a scheme of MMEngine's; returns its address."""
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))

    def named(file):
        (tmp_path / 'open_mmlab.json').write_text(json.dumps(dict(ours=file)))
        return 'open-mmlab://ours'

    return named


def test_addresses_are_loaded_and_not_compared(tmp_path, named):
    check_checkpoint(recognizer(), named(save(recognizer(50), tmp_path / 'b.pth')), with_head=False)
    with pytest.raises(FileNotFoundError, match=r'c\.pth does not exist'):
        check_checkpoint(recognizer(), named(str(tmp_path / 'c.pth')), with_head=False)


class RunsCode:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_address_with_code_is_refused_before_anything_runs(tmp_path, named):
    torch.save(dict(state_dict={}, extra=RunsCode(f'touch {tmp_path}/made')), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth is refused'):
        check_checkpoint(recognizer(), named(str(tmp_path / 'a.pth')), with_head=False)
    assert not (tmp_path / 'made').exists()


def test_address_that_cannot_be_reached(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with pytest.raises(ConnectionError, match=r'checkpoint http://127\.0\.0\.1:1/a\.pth cannot be downloaded: '):
        check_checkpoint(recognizer(), 'http://127.0.0.1:1/a.pth', with_head=False)


def test_a_folder_stands_for_its_newest_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'^folder {tmp_path} holds no checkpoint of a training$'):
        checkpoint_of(str(tmp_path))
    for epoch in (9, 10):
        state = dict(state_dict={}, message_hub={}, meta=dict(epoch=epoch, iter=epoch))
        torch.save(state, tmp_path / f'epoch_{epoch}.pth')
    assert checkpoint_of(str(tmp_path)) == str(tmp_path / 'epoch_10.pth')
    assert checkpoint_of(str(tmp_path / 'epoch_9.pth')) == str(tmp_path / 'epoch_9.pth')
    with pytest.raises(FileNotFoundError, match=r'epoch_1\.pth does not exist'):
        checkpoint_of(str(tmp_path / 'epoch_1.pth'))

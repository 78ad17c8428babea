import json
import os
import re

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
        ValueError,
        match=r'; 2 of another shape \(cls_head.fc_cls 2\), as cls_head.fc_cls.weight \(7, 512\) instead of \(5, .*'
        r'\. To train another head from it: --cfg-options load_from=.*a\.pth; to test it: set model\.cls_head',
    ):
        check_checkpoint(recognizer(), path, with_head=True)


def test_testing_needs_the_flow_blocks(tmp_path):
    path = save(recognizer(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'missing in it \(backbone.flow_blocks \d+\), as .*or train the other blocks'):
        check_checkpoint(recognizer(flow=FLOW), path, with_head=True)


def test_flow_blocks_that_the_config_lacks_are_named(tmp_path):
    path = save(recognizer(flow=FLOW), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'fit; \d+ unknown to the config \(backbone.flow_blocks \d+\), as'):
        check_checkpoint(recognizer(), path, with_head=False)


def test_another_depth_is_told_by_parts(tmp_path):
    path = save(recognizer(50), tmp_path / 'a.pth')
    with pytest.raises(ValueError) as raised:
        check_checkpoint(recognizer(), path, with_head=False)
    message = str(raised.value)
    assert message.startswith(f'checkpoint {path} is of another architecture than the config: of 120 tensors ')
    for part in (
        r'unknown to the config \(backbone\.layer3 \d+, .* \d+\), as backbone\.layer1\.0\.conv3\S+, ',
        r'of another shape \(.*\), as \S+ \(64, 64, 1, 1\) instead of \(64, 64, 3, 3\), ',
        r'\. Take the config that it was trained with, or the weights that fit this one$',
    ):
        assert re.search(part, message), message
    assert '\n' not in message


def test_file_of_mmaction2_0x_says_its_version(tmp_path):
    state = {name.replace('cls_head.fc_cls', 'cls_head.new_fc'): v for name, v in recognizer().state_dict().items()}
    meta = dict(mmcv_version='1.3.8', mmaction_version='0.15.0+5ec4ad6', epoch=100)
    torch.save(dict(state_dict=state, meta=meta, optimizer={}), tmp_path / 'a.pth')
    check_checkpoint(recognizer(), str(tmp_path / 'a.pth'), with_head=False)
    message = (
        r'a\.pth \(of MMAction2 0\.15\.0\+5ec4ad6, before MMEngine\) is of another .*; 2 missing in it '
        r'\(cls_head\.fc_cls 2\), as .*; 2 unknown to the config \(cls_head\.new_fc 2\), as cls_head\.new_fc\.weight, '
    )
    with pytest.raises(ValueError, match=message):
        check_checkpoint(recognizer(), str(tmp_path / 'a.pth'), with_head=True)


RELEASED = {'flow_layer.img_grad': torch.ones(32, 1, 1, 3), 'conv1.weight': torch.ones(64, 3, 7, 7)}


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_authors_files_are_to_be_converted(tmp_path, named, prefix):
    path = str(tmp_path / 'hmdb.pt')
    torch.save({prefix + name: value for name, value in RELEASED.items()}, path)
    for source in (path, named(path)):
        with pytest.raises(ValueError, match=rf'own names: convert it .* convert_released_weights {source} converted'):
            check_checkpoint(recognizer(), source, with_head=False)


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

import pytest
import torch
from mmengine.runner import CheckpointLoader
from tiny_training import train

from repflow_mm.engine.hooks import checkpoint_hook
from repflow_mm.hardware import device_name


def test_a_checkpoint_says_what_it_was_trained_on(tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    train(tmp_path, changes={'train_cfg.max_epochs': 1})
    (checkpoint,) = tmp_path.glob('epoch_*.pth')
    assert CheckpointLoader.load_checkpoint(str(checkpoint))['meta']['device'] == device_name('cpu')


@pytest.mark.parametrize(
    ('device', 'count', 'text'), [('cuda', 1, 'a GPU'), ('cuda', 8, '8 × a GPU'), ('npu', 2, '2 × npu')]
)
def test_devices_of_several_processes_are_counted(monkeypatch, device, count, text):
    monkeypatch.setattr(checkpoint_hook, 'get_device', lambda: device)
    monkeypatch.setattr(checkpoint_hook, 'get_world_size', lambda: count)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'a GPU')
    monkeypatch.setattr(torch, 'device', lambda name: type('Device', (), dict(type=name)))
    assert checkpoint_hook._devices() == text

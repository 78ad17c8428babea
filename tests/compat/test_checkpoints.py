import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, load_checkpoint

from repflow_mm.compat import apply_workarounds

apply_workarounds()


def runner_checkpoint(weight):
    """What a Runner saves, in short: numpy's scalars and the log history in the message hub among it."""
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    hub = dict(log_scalars={'train/loss': history}, runtime_info={'seed': np.int64(3), 'best': np.float32(0.5)})
    optimizer = torch.optim.SGD(weight.parameters(), lr=0.1, momentum=0.9).state_dict()
    return dict(state_dict=weight.state_dict(), optimizer=optimizer, message_hub=hub, meta=dict(epoch=1))


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint as upstream writes it, with the history's references to its methods."""
    path = tmp_path / 'epoch_1.pth'
    torch.save(runner_checkpoint(torch.nn.Linear(2, 3)), path)
    assert b'getattr' in pickle.dumps(HistoryBuffer(), protocol=torch.serialization.DEFAULT_PROTOCOL)
    return path


def test_runner_checkpoint_loads_through_mmengine(checkpoint):
    with pytest.raises(pickle.UnpicklingError):
        torch.load(checkpoint, weights_only=True)
    model = torch.nn.Linear(2, 3)
    loaded = load_checkpoint(model, str(checkpoint), map_location='cpu')
    assert torch.equal(loaded['state_dict']['weight'], model.weight)
    history = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer) and history.mean() == 1.5 and history.statistics('max') == 2.0
    info = loaded['message_hub']['runtime_info']
    assert info['seed'] == 3 and isinstance(info['best'], np.float32)


class RunsCode:
    """Runs a command when it is unpickled by an unsafe loader."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def test_foreign_code_is_refused_and_does_not_run(tmp_path):
    path, made = tmp_path / 'foreign.pth', tmp_path / 'made'
    torch.save(dict(state_dict={}, extra=RunsCode(os.system, f'touch {made}')), path)
    with pytest.raises(ValueError, match=r'foreign\.pth is refused.*posix\.system.*code is never run') as error:
        CheckpointLoader.load_checkpoint(str(path))
    assert '\n' not in str(error.value)
    assert not made.exists()
    torch.load(path, weights_only=False)
    assert made.exists()


@pytest.mark.parametrize(
    ('arguments', 'culprit'),
    [
        ((HistoryBuffer, '__init__'), r"getattr of '__init__' on <class '.*HistoryBuffer'>"),
        ((torch.Tensor, 'mean'), r"getattr of 'mean' on <class 'torch.Tensor'>"),
        ((RunsCode(__import__, 'os'), 'system'), r'it needs __import__'),
    ],
)
def test_getattr_reaches_nothing_but_the_historys_statistics(tmp_path, arguments, culprit):
    path = tmp_path / 'getattr.pth'
    torch.save(dict(state_dict={}, extra=RunsCode(getattr, *arguments)), path)
    with pytest.raises(ValueError, match=rf'getattr\.pth is refused: it is no plain checkpoint \({culprit}\)'):
        CheckpointLoader.load_checkpoint(str(path))


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'checkpoint {tmp_path}/none.pth does not exist'):
        CheckpointLoader.load_checkpoint(f'{tmp_path}/none.pth')


@pytest.mark.parametrize('in_zip', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('share', [0, 0.3, 0.6, 0.95])
def test_truncated_checkpoint(tmp_path, share, in_zip):
    path = tmp_path / 'epoch_1.pth'
    torch.save(runner_checkpoint(torch.nn.Linear(2, 3)), path, _use_new_zipfile_serialization=in_zip)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=rf'checkpoint {path} is (damaged or incomplete|refused): ..+') as error:
        CheckpointLoader.load_checkpoint(str(path))
    assert '\n' not in str(error.value)


def test_missing_device_is_not_taken_for_damage(checkpoint, monkeypatch):
    def load(*args, **kwargs):
        raise RuntimeError('Attempting to deserialize object on a CUDA device')

    monkeypatch.setattr(torch, 'load', load)
    with pytest.raises(RuntimeError, match='Attempting to deserialize'):
        CheckpointLoader.load_checkpoint(str(checkpoint))


def test_garbage_checkpoint(tmp_path):
    for name, content in (('text.pth', b'no checkpoint\n' * 50), ('bytes.pth', bytes(range(256)) * 4)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            CheckpointLoader.load_checkpoint(str(tmp_path / name))
    with zipfile.ZipFile(tmp_path / 'other.pth', 'w') as archive:
        archive.writestr('notes.txt', 'no checkpoint')
    with pytest.raises(ValueError, match='other.pth is damaged'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'other.pth'))

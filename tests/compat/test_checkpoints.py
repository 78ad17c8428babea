import errno
import hashlib
import http.server
import json
import os
import pickle
import shutil
import sys
import threading
import types
import zipfile

import mmengine
import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, load_checkpoint

from repflow_mm.compat import apply_workarounds, checkpoints

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
        ((RunsCode(__import__, 'os'), 'system'), r'it needs (builtins\.)?__import__'),
    ],
)
def test_getattr_reaches_nothing_but_the_historys_statistics(tmp_path, arguments, culprit):
    path = tmp_path / 'getattr.pth'
    torch.save(dict(state_dict={}, extra=RunsCode(getattr, *arguments)), path)
    with pytest.raises(ValueError, match=rf'getattr\.pth is refused: it is no plain checkpoint \({culprit}\)'):
        CheckpointLoader.load_checkpoint(str(path))


def test_what_torch_2_6_says_of_the_culprit():
    asks = 'Please file an issue so that we can make `weights_only=True` compatible with your use case'
    message = f'Weights only load failed.\n\n{asks}: WeightsUnpickler error: getattr of .mean. on Tensor'
    documentation = '\n\nCheck the documentation of torch.load to learn more.'
    assert checkpoints._refusal(message + documentation) == 'getattr of .mean. on Tensor'


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


def test_parts_that_say_they_are_compressed(checkpoint):
    """zlib has an error of its own for what is no stream of it."""
    content = bytearray(checkpoint.read_bytes())
    for signature, place in ((b'PK\3\4', 8), (b'PK\1\2', 10)):
        content[content.rindex(signature) + place] = zipfile.ZIP_DEFLATED
    checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match=rf'checkpoint {checkpoint} is damaged or incomplete: .*decompressing data'):
        CheckpointLoader.load_checkpoint(str(checkpoint))


def test_numbers_of_no_tensor_in_the_old_format(tmp_path):
    """Torch has an assertion for them, without words in version 2.6."""
    path = tmp_path / 'epoch_1.pth'
    weight = torch.zeros(2)
    torch.save(dict(state_dict=dict(w=weight)), path, _use_new_zipfile_serialization=False)
    head, key, rest = path.read_bytes().rpartition(str(weight.untyped_storage()._cdata).encode())
    path.write_bytes(head + b'9' * len(key) + rest)
    said = rf'checkpoint {path} is damaged or incomplete: (storage key .* not found|AssertionError$)'
    with pytest.raises(ValueError, match=said):
        CheckpointLoader.load_checkpoint(str(path))


@pytest.mark.parametrize(('number', 'expected'), [(errno.EIO, OSError), (errno.EINVAL, ValueError)])
def test_the_disks_errors_are_no_damage(checkpoint, monkeypatch, number, expected):
    def load(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(torch, 'load', load)
    with pytest.raises(expected, match=os.strerror(number)):
        CheckpointLoader.load_checkpoint(str(checkpoint))


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


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Serve a folder on this machine; returns a function that saves content there and gives its address."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'mmengine'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def save(content, name='weights.pth'):
        torch.save(content, folder / name)
        return f'http://127.0.0.1:{server.server_port}/{name}'

    save.folder, save.cache = folder, tmp_path / 'torch' / 'hub' / 'checkpoints'
    yield save
    server.shutdown()
    server.server_close()


class FakeModelCloud(types.ModuleType):
    """What the scheme pavi:// needs of its client."""

    def __init__(self, file):
        super().__init__('pavi')
        model = types.SimpleNamespace(name='weights.pth', download=lambda path: shutil.copy(file, path))
        self.modelcloud = types.SimpleNamespace(get=lambda name: model)


@pytest.fixture
def address_of(serve, tmp_path, monkeypatch):
    """Save content where each of MMEngine's schemes finds it; returns the address."""

    def address_of(scheme, content):
        address = serve(content)
        file = serve.folder / 'weights.pth'
        monkeypatch.setattr(mmengine_checkpoint, 'get_torchvision_models', lambda: {'ours': address})
        monkeypatch.setattr(mmengine_checkpoint, 'get_mmcls_models', lambda: {'ours': address})
        (tmp_path / 'mmengine').mkdir(exist_ok=True)
        places = json.dumps({'ours': address, 'local': str(file)})
        (tmp_path / 'mmengine' / 'open_mmlab.json').write_text(places)
        monkeypatch.setitem(sys.modules, 'pavi', FakeModelCloud(file))
        backend = types.SimpleNamespace(get=lambda path: file.read_bytes())
        monkeypatch.setattr(mmengine.fileio, 'get_file_backend', lambda *args, **kwargs: backend)
        return dict(local=str(file), http=address).get(scheme, scheme)

    return address_of


SCHEMES = [
    'local',
    'http',
    'torchvision://ours',
    'modelzoo://ours',
    'open-mmlab://ours',
    'openmmlab://ours',
    'openmmlab://local',
    'mmcls://ours',
    'pavi://ours',
    's3://bucket/weights.pth',
    'cluster:petrel://bucket/weights.pth',
]


@pytest.mark.parametrize('scheme', SCHEMES)
def test_no_scheme_runs_code(address_of, scheme, tmp_path):
    made = tmp_path / 'made'
    address = address_of(scheme, dict(state_dict={}, extra=RunsCode(os.system, f'touch {made}')))
    with pytest.raises(ValueError, match=r'checkpoint \S+ is refused.*posix\.system.*code is never run'):
        CheckpointLoader.load_checkpoint(address)
    assert not made.exists()


@pytest.mark.parametrize('scheme', SCHEMES)
def test_every_scheme_loads_plain_checkpoints(address_of, scheme):
    content = runner_checkpoint(torch.nn.Linear(2, 3))
    prefix = 'backbone.' if scheme.startswith('mmcls') else ''
    content['state_dict'] = {f'{prefix}{name}': value for name, value in content['state_dict'].items()}
    loaded = CheckpointLoader.load_checkpoint(address_of(scheme, content), map_location='cpu')
    torch.testing.assert_close(loaded['state_dict']['weight'], content['state_dict'][f'{prefix}weight'])


def test_every_scheme_of_mmengine_has_the_safe_loader():
    assert {loader.__module__ for loader in CheckpointLoader._schemes.values()} == {checkpoints.__name__}


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_pretrained_weights_from_an_address_run_no_code(serve, tmp_path, prefix):
    made = tmp_path / 'made'
    address = serve({'backbone.weight': torch.ones(1, 1), 'extra': RunsCode(os.system, f'touch {made}')})
    init_cfg = dict(type='Pretrained', checkpoint=address, **(dict(prefix=prefix) if prefix else {}))
    with pytest.raises(ValueError, match='is refused'):
        mmengine.model.BaseModule(init_cfg).init_weights()
    assert not made.exists()


def test_what_lies_in_the_hub_cache_runs_no_code(serve, tmp_path):
    made, address = tmp_path / 'made', serve(dict(state_dict={}))
    serve.cache.mkdir(parents=True)
    torch.save(RunsCode(os.system, f'touch {made}'), serve.cache / 'weights.pth')
    with pytest.raises(ValueError, match='is refused'):
        CheckpointLoader.load_checkpoint(address)
    assert not made.exists()


def hashed_name(serve, content):
    """The name that a served file has when its hash is put in."""
    serve(content)
    digest = hashlib.sha256((serve.folder / 'weights.pth').read_bytes()).hexdigest()
    (serve.folder / 'weights.pth').rename(serve.folder / f'r18_20200614-{digest[:8]}.pth')
    return f'r18_20200614-{digest[:8]}.pth'


def test_hash_in_the_name_is_checked(serve):
    content = dict(state_dict=dict(weight=torch.ones(1)))
    root = serve(content).rpartition('/')[0]
    name = hashed_name(serve, content)
    for _ in range(2):
        assert CheckpointLoader.load_checkpoint(f'{root}/{name}')['state_dict']['weight'] == 1
    with open(serve.cache / name, 'ab') as file:
        file.write(b'more')
    with pytest.raises(ValueError, match=rf'{name} is refused: its SHA-256 begins with [0-9a-f]{{8}}, not with the '):
        CheckpointLoader.load_checkpoint(f'{root}/{name}')


def test_download_with_another_hash_is_refused_and_not_kept(serve):
    address = serve(dict(state_dict={}), 'r18-0123abcd.pth')
    for _ in range(2):
        with pytest.raises(ValueError, match=r'r18-0123abcd\.pth is refused: invalid hash value .*"0123abcd"'):
            CheckpointLoader.load_checkpoint(address)
        assert list(serve.cache.iterdir()) == []


@pytest.mark.parametrize('name', ['r18-50.pth', 'r18-imagenet.pth', 'r18_0123abcd.pth'])
def test_names_without_a_hash(serve, name):
    assert CheckpointLoader.load_checkpoint(serve(dict(state_dict={}), name)) == dict(state_dict={})


def test_addresses_that_lead_nowhere(serve):
    root = serve(dict(state_dict={})).rpartition('/')[0]
    with pytest.raises(ConnectionError, match=rf'checkpoint {root}/none\.pth cannot be downloaded: .*404'):
        CheckpointLoader.load_checkpoint(f'{root}/none.pth')
    for address in (f'{root}/', f'{root}/a/..'):
        with pytest.raises(ValueError, match='cannot be downloaded: the address ends in no file name'):
            CheckpointLoader.load_checkpoint(address)


@pytest.mark.parametrize('scheme', ['torchvision', 'openmmlab', 'mmcls'])
def test_names_that_a_scheme_does_not_know(address_of, scheme):
    address_of(scheme, {})
    with pytest.raises(ValueError, match=rf"^{scheme}:// knows no weights 'our'; similar names: ours"):
        CheckpointLoader.load_checkpoint(f'{scheme}://our')

import hashlib
import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from repflow_mm.apis.publish import main, publish_model


class Foreign:
    """Code that a pickle would run."""

    def __reduce__(self):
        return os.getenv, ('HOME',)


@pytest.fixture
def checkpoint(tmp_path):
    """A file as a Runner writes it: weights, averaged weights, message hub, optimizer, schedulers, meta."""
    hub = MessageHub.get_instance('test_publish')
    hub._log_scalars['loss'] = HistoryBuffer([1.0, 0.5], [1, 1])
    content = dict(
        meta=dict(
            experiment_name='repflow_r18_20260101_120000',
            cfg='model = dict(type="A")\n',
            epoch=3,
            seed=None,
            dataset_meta=dict(classes=('left', 'right'), odd=np.float32(1)),
        ),
        state_dict=OrderedDict(weight=torch.arange(1000.0)[:4], count=torch.tensor(7)),
        ema_state_dict=OrderedDict({'steps': torch.tensor(2), 'module.weight': torch.ones(4)}),
        message_hub=hub.state_dict(),
        optimizer=dict(state={}, param_groups=[dict(lr=0.1)]),
        param_schedulers=[dict(last_step=1)],
    )
    torch.save(content, tmp_path / 'epoch_3.pth')
    return tmp_path / 'epoch_3.pth'


def test_published_file_is_plain_and_tells_its_config(checkpoint):
    with pytest.raises(Exception, match='weights_only'):
        torch.load(checkpoint, weights_only=True)
    path = publish_model(checkpoint)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert path == checkpoint.parent / f'repflow_r18-{digest}.pth'
    content = torch.load(path, weights_only=True)
    assert content.keys() == {'state_dict', 'ema_state_dict', 'meta'}
    torch.testing.assert_close(content['state_dict']['weight'], torch.arange(4.0))
    torch.testing.assert_close(content['ema_state_dict']['module.weight'], torch.ones(4))
    assert content['state_dict']['weight'].untyped_storage().nbytes() == 16
    assert content['meta']['cfg'] == 'model = dict(type="A")\n'
    assert content['meta']['config_name'] == 'repflow_r18' and content['meta']['epoch'] == 3
    assert content['meta']['dataset_meta'] == dict(classes=['left', 'right'], odd=None)


def test_same_weights_give_the_same_file(checkpoint, tmp_path):
    first, second = publish_model(checkpoint), publish_model(checkpoint, tmp_path / 'new' / 'folder')
    assert first.name == second.name and first.read_bytes() == second.read_bytes()
    assert sorted(file.name for file in (tmp_path / 'new' / 'folder').iterdir()) == [second.name]
    assert torch.load(publish_model(first, tmp_path / 'again', config=_config(tmp_path)), weights_only=True)


def _config(tmp_path):
    (tmp_path / 'other_r50.py').write_text('model = dict(depth=50)\n')
    return tmp_path / 'other_r50.py'


def test_config_file(checkpoint, tmp_path):
    path = publish_model(checkpoint, config=_config(tmp_path))
    assert path.name.startswith('other_r50-')
    assert 'depth=50' in torch.load(path, weights_only=True)['meta']['cfg']


def test_refusals(tmp_path):
    file = tmp_path / 'a.pth'
    with pytest.raises(FileNotFoundError, match=r'checkpoint .*a\.pth does not exist'):
        publish_model(file)
    torch.save(dict(state_dict={}, meta=Foreign()), file)
    with pytest.raises(ValueError, match=r'a\.pth is refused: it is no plain checkpoint \(it needs .*getenv'):
        publish_model(file)
    torch.save(dict(conv=torch.ones(1)), file)
    with pytest.raises(ValueError, match=r"a\.pth has no 'state_dict', so it is no Runner's; found \['conv'\]"):
        publish_model(file)
    torch.save(dict(state_dict={}), file)
    with pytest.raises(ValueError, match=r'a\.pth does not tell its config: give it with --config'):
        publish_model(file)
    with pytest.raises(FileNotFoundError, match=r'config .*none\.py does not exist'):
        publish_model(file, config=tmp_path / 'none.py')
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match='damaged or incomplete'):
        publish_model(file)
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


@pytest.mark.parametrize('folder', ['../../', '../out-', '/{}/', 'a/b/../'], ids=['up', 'beside', 'absolute', 'down'])
def test_nothing_is_written_outside_of_the_folder(tmp_path, folder):
    (tmp_path / 'in').mkdir()
    meta = dict(experiment_name=folder.format(tmp_path) + 'x_20260101_120000', cfg='')
    torch.save(dict(state_dict={}, meta=meta), tmp_path / 'in' / 'a.pth')
    before = sorted(tmp_path.rglob('*'))
    path = publish_model(tmp_path / 'in' / 'a.pth', tmp_path / 'in' / 'new' / 'out')
    assert path.parent == tmp_path / 'in' / 'new' / 'out' and path.name.startswith(('x-', 'out-x-'))
    assert torch.load(path, weights_only=True)['meta']['config_name'] in ('x', 'out-x')
    assert sorted(tmp_path.rglob('*')) == sorted([*before, tmp_path / 'in' / 'new', path.parent, path])


@pytest.mark.parametrize('name', ['a/', '..', '/', '', '../_20260101_120000'])
def test_experiment_that_names_no_file(tmp_path, name):
    torch.save(dict(state_dict={}, meta=dict(experiment_name=name, cfg='')), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth does not tell its config: give it with --config'):
        publish_model(tmp_path / 'a.pth')


def test_meta_that_is_no_dict(tmp_path):
    torch.save(dict(state_dict={}, meta=[1]), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r"a\.pth: 'meta' must be a dict, got list"):
        publish_model(tmp_path / 'a.pth')


def test_command_line(checkpoint, tmp_path, capsys):
    main([str(checkpoint), '--out', str(tmp_path / 'out')])
    path = capsys.readouterr().out.split(' ')[0]
    assert os.path.isfile(path) and path.startswith(str(tmp_path / 'out' / 'repflow_r18-'))
    with pytest.raises(SystemExit, match='error: checkpoint nowhere.pth does not exist'):
        main(['nowhere.pth'])

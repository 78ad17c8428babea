import os
import pickle
import sys
import types
import warnings
import zipfile
from importlib import metadata

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, load_checkpoint

from repflow_mm import compat

GOOD = {'mmaction2': '1.2.0', 'mmengine': '0.10.7', 'mmcv-lite': '2.1.0'}


@pytest.fixture
def pretend(monkeypatch):
    """Make the distributions given, over good ones, the installed ones; None takes one away."""

    def install(**changes):
        versions = {**GOOD, **{name.replace('_', '-'): version for name, version in changes.items()}}

        def version(name):
            if versions.get(name) is None:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(compat.metadata, 'version', version)

    return install


def test_supported_versions_pass(pretend):
    pretend()
    assert compat.version_problems() == []
    compat.check_versions()
    pretend(mmcv_lite=None, mmcv='2.0.1')
    assert compat.version_problems() == []
    pretend(mmcv_lite=None, mmcv='2.1.0+cu121', mmengine=None, mmengine_lite='0.10.4')
    assert compat.version_problems() == []


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        (dict(mmaction2='0.24.1'), 'mmaction2: found 0.24.1 (allowed: >= 1.2.0, < 1.3.0)'),
        (dict(mmengine='0.9.1'), 'mmengine or mmengine-lite: found 0.9.1 (allowed: >= 0.10.0, < 0.11.0)'),
        (dict(mmengine='0.11.0rc1'), 'mmengine or mmengine-lite: found 0.11.0rc1 (allowed: >= 0.10.0, < 0.11.0)'),
        (dict(mmcv_lite='2.2.0'), 'mmcv or mmcv-lite: found 2.2.0 (allowed: >= 2.0.0, < 2.2.0)'),
        (dict(mmcv_lite=None, mmcv='1.7'), 'mmcv or mmcv-lite: found 1.7 (allowed: >= 2.0.0, < 2.2.0)'),
        (dict(mmcv_lite=None), 'mmcv or mmcv-lite: not installed (allowed: >= 2.0.0, < 2.2.0)'),
        (
            dict(mmcv='2.1.0'),
            'mmcv 2.1.0 and mmcv-lite 2.1.0 are both installed and overwrite each other: uninstall both, then '
            'install one',
        ),
    ],
)
def test_what_cannot_work_is_named(pretend, changes, problem):
    pretend(**changes)
    assert compat.version_problems() == [problem]
    with pytest.raises(ImportError) as error:
        compat.check_versions()
    assert str(error.value) == f'repflow_mm cannot run with the installed versions:\n  - {problem}'


def test_a_distribution_without_its_package_is_not_installed(pretend, monkeypatch):
    pretend()
    find_spec = compat.importlib.util.find_spec
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: None if name == 'mmcv' else find_spec(name))
    assert compat.version_problems() == ['mmcv or mmcv-lite: not installed (allowed: >= 2.0.0, < 2.2.0)']


@pytest.fixture
def fake_mmaction(tmp_path, monkeypatch):
    """An installed ``mmaction`` in a folder of its own, none of which has been imported."""
    folder = tmp_path / 'mmaction'
    (folder / 'models' / 'localizers').mkdir(parents=True)
    spec = types.SimpleNamespace(submodule_search_locations=[str(folder)])
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: spec)
    for name in ('mmaction.models.localizers.drn', 'mmaction.models.localizers.drn.drn'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_drn_stub_is_put_where_the_wheel_lacks_it(fake_mmaction):
    assert compat.add_missing_drn()
    assert sys.modules['mmaction.models.localizers.drn.drn'].DRN is None
    assert compat.add_missing_drn()


def test_drn_stub_is_absent_where_the_real_one_exists(fake_mmaction):
    drn = fake_mmaction / 'models' / 'localizers' / 'drn'
    drn.mkdir()
    (drn / 'drn.py').write_text('class DRN: ...')
    assert not compat.add_missing_drn()
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_imported_drn_is_left_alone(fake_mmaction, monkeypatch):
    real = types.ModuleType('mmaction.models.localizers.drn')
    real.__file__ = 'drn/__init__.py'
    monkeypatch.setitem(sys.modules, real.__name__, real)
    assert not compat.add_missing_drn()
    assert sys.modules[real.__name__] is real


@pytest.mark.parametrize(
    ('names', 'needed'),
    [
        ((), True),
        (('apply_chunking_to_forward', 'find_pruneable_heads_and_indices', 'prune_linear_layer'), False),
    ],
    ids=['new transformers', 'old transformers'],
)
def test_retrieval_models_are_left_out_where_transformers_lacks_their_names(names, needed, monkeypatch):
    from mmaction.utils import dependency

    modeling = types.ModuleType('transformers.modeling_utils')
    for name in names:
        setattr(modeling, name, None)
    monkeypatch.setitem(sys.modules, 'transformers', types.ModuleType('transformers'))
    monkeypatch.setitem(sys.modules, modeling.__name__, modeling)
    monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', True)
    assert compat.leave_out_multimodal() is needed
    assert dependency.WITH_MULTIMODAL is not needed


def test_retrieval_models_are_no_question_without_transformers(monkeypatch):
    from mmaction.utils import dependency

    monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', False)
    assert not compat.leave_out_multimodal()


@pytest.mark.parametrize('compiled', [True, False])
def test_warning_is_silenced_for_mmcv_without_operators_only(monkeypatch, compiled):
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: object() if compiled else None)
    message = 'Fail to import ``MultiScaleDeformableAttention`` from ``mmcv.ops``'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert compat.silence_missing_mmcv_ops() is not compiled
        warnings.warn(message, stacklevel=1)
        warnings.warn('something else', stacklevel=1)
    assert [str(warning.message) for warning in caught] == [message][: int(compiled)] + ['something else']


def test_distributed_stays_as_it_is_with_an_accelerator(monkeypatch):
    import mmengine.device
    import mmengine.dist.utils as dist_utils

    monkeypatch.setattr(mmengine.device, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(dist_utils, '_init_dist_pytorch', upstream := object())
    assert not compat.run_distributed_on_cpu()
    assert dist_utils._init_dist_pytorch is upstream


def test_slurm_without_accelerator_reads_slurms_variables(monkeypatch):
    started = {}
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda **kwargs: started.update(kwargs))
    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
    monkeypatch.setattr(os, 'environ', {key: value for key, value in os.environ.items() if key not in names})
    os.environ.update(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1', SLURM_NODELIST='n1', MASTER_ADDR='n1')
    compat._init_gloo_slurm('nccl', port=29511)
    assert started == dict(backend='gloo')
    assert [os.environ[name] for name in names] == ['3', '4', '1', 'n1', '29511']


def test_heads_take_bfloat16_scores():
    from mmaction.models.heads import I3DHead
    from mmaction.structures import ActionDataSample

    compat.accept_bfloat16_scores()
    compat.accept_bfloat16_scores()
    head, scores = I3DHead(num_classes=4, in_channels=2), torch.tensor([[0.1, 0.5, 0.2, 0.3]])
    sample = ActionDataSample().set_gt_label(1)
    expected = head.loss_by_feat(scores.bfloat16().float(), [sample])
    found = head.loss_by_feat(scores.bfloat16(), [sample])
    assert found['loss_cls'].dtype == torch.float32
    assert {name: value.item() for name, value in found.items()} == {k: v.item() for k, v in expected.items()}
    double = head.loss_by_feat(scores.double(), [sample])
    assert double['loss_cls'].dtype == torch.float64, 'other types stay as they are'


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

import sys
import types
import warnings

import pytest

from repflow_mm.compat import missing_modules


@pytest.fixture
def fake_mmaction(tmp_path, monkeypatch):
    """An installed ``mmaction`` in a folder of its own, none of which has been imported."""
    folder = tmp_path / 'mmaction'
    (folder / 'models' / 'localizers').mkdir(parents=True)
    spec = types.SimpleNamespace(submodule_search_locations=[str(folder)])
    monkeypatch.setattr(missing_modules.importlib.util, 'find_spec', lambda name: spec)
    for name in ('mmaction.models.localizers.drn', 'mmaction.models.localizers.drn.drn'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_drn_stub_is_put_where_the_wheel_lacks_it(fake_mmaction):
    assert missing_modules.add_missing_drn()
    assert sys.modules['mmaction.models.localizers.drn.drn'].DRN is None
    assert missing_modules.add_missing_drn()


def test_drn_stub_is_absent_where_the_real_one_exists(fake_mmaction):
    drn = fake_mmaction / 'models' / 'localizers' / 'drn'
    drn.mkdir()
    (drn / 'drn.py').write_text('class DRN: ...')
    assert not missing_modules.add_missing_drn()
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_drn_stub_is_put_where_the_real_one_lacks_torchvision(fake_mmaction, monkeypatch):
    drn = fake_mmaction / 'models' / 'localizers' / 'drn'
    drn.mkdir()
    (drn / 'drn.py').write_text('import torchvision')
    find = missing_modules.importlib.util.find_spec
    monkeypatch.setattr(
        missing_modules.importlib.util, 'find_spec', lambda name: None if name == 'torchvision' else find(name)
    )
    assert missing_modules.add_missing_drn()
    assert sys.modules['mmaction.models.localizers.drn.drn'].DRN is None


def test_imported_drn_is_left_alone(fake_mmaction, monkeypatch):
    real = types.ModuleType('mmaction.models.localizers.drn')
    real.__file__ = 'drn/__init__.py'
    monkeypatch.setitem(sys.modules, real.__name__, real)
    assert not missing_modules.add_missing_drn()
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
    assert missing_modules.leave_out_multimodal() is needed
    assert dependency.WITH_MULTIMODAL is not needed


def test_retrieval_models_are_no_question_without_transformers(monkeypatch):
    from mmaction.utils import dependency

    monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', False)
    assert not missing_modules.leave_out_multimodal()


@pytest.mark.parametrize('compiled', [True, False])
def test_warning_is_silenced_for_mmcv_without_operators_only(monkeypatch, compiled):
    monkeypatch.setattr(missing_modules.importlib.util, 'find_spec', lambda name: object() if compiled else None)
    message = 'Fail to import ``MultiScaleDeformableAttention`` from ``mmcv.ops``'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert missing_modules.silence_missing_mmcv_ops() is not compiled
        warnings.warn(message, stacklevel=1)
        warnings.warn('something else', stacklevel=1)
    assert [str(warning.message) for warning in caught] == [message][: int(compiled)] + ['something else']

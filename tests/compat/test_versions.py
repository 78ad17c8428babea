from importlib import metadata

import pytest
from helpers import ROOT

from repflow_mm.compat import versions

GOOD = {'mmaction2': '1.2.0', 'mmengine': '0.10.7', 'mmcv-lite': '2.1.0'}


@pytest.fixture
def pretend(monkeypatch):
    """Make the distributions given, over good ones, the installed ones; None takes one away."""

    def install(**changes):
        found = {**GOOD, **{name.replace('_', '-'): version for name, version in changes.items()}}

        def version(name):
            if found.get(name) is None:
                raise metadata.PackageNotFoundError(name)
            return found[name]

        monkeypatch.setattr(versions.metadata, 'version', version)

    return install


def test_supported_versions_pass(pretend):
    pretend()
    assert versions.version_problems() == []
    versions.check_versions()
    pretend(mmcv_lite=None, mmcv='2.0.1')
    assert versions.version_problems() == []
    pretend(mmcv_lite=None, mmcv='2.1.0+cu121', mmengine=None, mmengine_lite='0.10.4')
    assert versions.version_problems() == []
    pretend(mmaction2=None, otxmmaction2='1.2.0', mmengine=None, onedl_mmengine='0.10.12')
    assert versions.version_problems() == []


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        (
            dict(mmaction2='0.24.1'),
            'mmaction2 or otxmmaction2: found mmaction2 0.24.1 (allowed: >= 1.2.0, < 1.3.0); '
            "pip install 'mmaction2>=1.2.0,<1.3.0'",
        ),
        (
            dict(mmengine='0.9.1'),
            'mmengine or mmengine-lite or onedl-mmengine: found mmengine 0.9.1 (allowed: >= 0.10.0, < 0.11.0); '
            "pip install 'mmengine>=0.10.0,<0.11.0'",
        ),
        (
            dict(mmengine='0.11.0rc1'),
            'mmengine or mmengine-lite or onedl-mmengine: found mmengine 0.11.0rc1 (allowed: >= 0.10.0, < 0.11.0); '
            "pip install 'mmengine>=0.10.0,<0.11.0'",
        ),
        (
            dict(mmcv_lite='2.2.0'),
            'mmcv or mmcv-lite or onedl-mmcv: found mmcv-lite 2.2.0 (allowed: >= 2.0.0, < 2.2.0); '
            "pip install 'mmcv-lite>=2.0.0,<2.2.0'",
        ),
        (
            dict(mmcv_lite=None, onedl_mmcv='2.3.6'),
            'mmcv or mmcv-lite or onedl-mmcv: found onedl-mmcv 2.3.6 (allowed: >= 2.0.0, < 2.2.0); '
            "pip uninstall onedl-mmcv, then pip install 'mmcv-lite>=2.0.0,<2.2.0'",
        ),
        (
            dict(mmcv_lite=None, mmcv='1.7'),
            'mmcv or mmcv-lite or onedl-mmcv: found mmcv 1.7 (allowed: >= 2.0.0, < 2.2.0); '
            "pip uninstall mmcv, then pip install 'mmcv-lite>=2.0.0,<2.2.0'",
        ),
        (
            dict(mmcv_lite=None),
            'mmcv or mmcv-lite or onedl-mmcv: not installed (allowed: >= 2.0.0, < 2.2.0); '
            "pip install 'mmcv-lite>=2.0.0,<2.2.0'",
        ),
        (
            dict(mmcv='2.1.0'),
            'mmcv 2.1.0 and mmcv-lite 2.1.0 are both installed and overwrite each other: uninstall both, then '
            'install one',
        ),
    ],
)
def test_what_cannot_work_is_named(pretend, changes, problem):
    pretend(**changes)
    assert versions.version_problems() == [problem]
    with pytest.raises(ImportError) as error:
        versions.check_versions()
    assert str(error.value) == f'repflow_mm cannot run with the installed versions:\n  - {problem}'


def test_a_distribution_without_its_package_is_not_installed(pretend, monkeypatch):
    pretend()
    find_spec = versions.importlib.util.find_spec
    monkeypatch.setattr(versions.importlib.util, 'find_spec', lambda name: None if name == 'mmcv' else find_spec(name))
    (problem,) = versions.version_problems()
    assert problem.startswith(
        'mmcv or mmcv-lite or onedl-mmcv: not installed (allowed: >= 2.0.0, < 2.2.0); pip install '
    )


def test_setup_asks_for_the_pyav_that_is_allowed():
    lowest, too_new = versions.PYAV_VERSIONS
    assert f"'av>={lowest},<{too_new}'," in ROOT.joinpath('setup.py').read_text()
    versions.check_pyav(lowest)
    versions.check_pyav(f'{int(too_new) - 1}.9.1')
    for wrong in (f'{int(lowest) - 1}.4.0', too_new):
        with pytest.raises(ImportError, match=f'found av {wrong}, which is not supported: {versions.PYAV_INSTALL}'):
            versions.check_pyav(wrong)

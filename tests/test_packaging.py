"""The wheel and the sdist hold everything that a user without a checkout needs."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy
import pytest
import yaml
from helpers import ROOT

from repflow_mm.version import __version__

CONFIG = """
_base_ = 'repflow_mm::demo/repflow_r18_motion_clips.py'
train_cfg = dict(max_epochs=1)
"""


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """What git has of the project, as it is here."""
    folder = tmp_path_factory.mktemp('source')
    files = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, files.stdout.split('\0')):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    out = tmp_path_factory.mktemp('wheel')
    pip('wheel', '-q', '--no-deps', '--no-build-isolation', '-w', out, source)
    (file,) = out.glob('*.whl')
    return file


@pytest.fixture(scope='module')
def python(wheel, tmp_path_factory):
    """An environment with the wheel, and with this environment's other packages."""
    folder = tmp_path_factory.mktemp('environment')
    subprocess.run([sys.executable, '-m', 'venv', folder], check=True)
    python = folder / 'bin' / 'python'
    others = Path(numpy.__file__).parents[1]
    (site,) = folder.glob('lib/python*/site-packages')
    # A folder named here is searched, but what is installed in place there is not.
    (site / 'others.pth').write_text(f'{others}\n')
    pip('install', '-q', '--no-deps', wheel, python=python)
    return python


def pip(*arguments, python=sys.executable):
    subprocess.run([python, '-m', 'pip', *map(str, arguments)], check=True)


def test_wheel_has_configs_sources_and_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert wheel.name.startswith(f'repflow_mm-{__version__}-')
    configs = {f'repflow_mm/.mim/{path.relative_to(ROOT)}' for path in ROOT.glob('configs/**/*.*') if path.is_file()}
    sources = {str(path.relative_to(ROOT)) for path in ROOT.glob('repflow_mm/ops/cpu/csrc/*')}
    data = {str(path.relative_to(ROOT)) for path in ROOT.glob('repflow_mm/datasets/data/*')}
    code = {str(path.relative_to(ROOT)) for path in ROOT.glob('repflow_mm/**/*.py')}
    others = {'repflow_mm/py.typed', 'repflow_mm/.mim/model-index.yml', 'repflow_mm/.mim/tools/dist_train.sh'}
    wanted = {name for name in configs | sources | data | code | others if '__pycache__' not in name}
    assert wanted - names == set()
    assert not [name for name in names if name.startswith('tests') or '__pycache__' in name]


def test_sdist_holds_what_the_wheel_is_made_of(source, tmp_path):
    command = [sys.executable, 'setup.py', '-q', 'sdist', '-d', str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = tmp_path.glob('*.tar.gz')
    with tarfile.open(file) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    files = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in files if not name.startswith(('.ci', '.git'))} - names == set()


def test_index_names_every_metafile():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert index == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('configs/*/metafile.yml'))


def test_training_and_testing_from_the_wheel_alone(python, tmp_path):
    def command(*arguments):
        env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        env.update(OMP_NUM_THREADS='1', MOTION_CLIPS='clips')
        program = [python.with_name('repflow-mm'), *map(str, arguments)]
        done = subprocess.run(program, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    (tmp_path / 'config.py').write_text(CONFIG)
    command('make_motion_clips', 'clips', '--train', '16', '--val', '8', '--size', '32', '--length', '8')
    assert '8 lines: 8 ok' in command('check_videos', 'clips/val.txt', '--videos', 'clips', '--jobs', '1')
    command('train', 'config.py', '--work-dir', 'run', '--seed', '0')
    out = command('test', 'config.py', 'run/epoch_1.pth', '--work-dir', 'run/test', '--dump', 'scores.pkl')
    assert 'acc/top1' in out
    assert 'top-1' in command('fuse', 'one=scores.pkl', 'two=scores.pkl')
    assert str(python.parents[1]) in command('doctor').splitlines()[0]
    assert not list(tmp_path.glob('repflow_mm*'))

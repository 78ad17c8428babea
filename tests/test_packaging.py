"""The wheel and the sdist hold everything that a user without a checkout needs."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy
import pytest
import yaml
from doc_blocks import blocks
from helpers import ROOT

from repflow_mm.version import __version__

# What is smaller in the test than in docs/first_training.md.
SMALLER = {
    '--train 800 --val 8': '--train 40 --val 8 --size 32 --length 8',
    r'(train \w+\.py --seed 0)': r'\1 --cfg-options train_cfg.max_epochs=1',
}


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
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', folder], check=True)
    python = folder / 'bin' / 'python'
    others = Path(numpy.__file__).parents[1]
    (site,) = folder.glob('lib/python*/site-packages')
    # A folder named here is searched, but what is installed in place there is not.
    (site / 'others.pth').write_text(f'{others}\n')
    pip('--python', python, 'install', '-q', '--no-deps', wheel)
    return python


def pip(*arguments):
    subprocess.run([sys.executable, '-m', 'pip', *map(str, arguments)], check=True)


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
    (metadata,) = (name for name in names if name.endswith('.dist-info/METADATA'))
    extras = re.findall(r'^Provides-Extra: (\w+)$', zipfile.ZipFile(wheel).read(metadata).decode(), re.MULTILINE)
    assert set(extras) == {'app', 'decord', 'dev', 'docs', 'export', 'mmaction', 'safetensors', 'torchcodec'}


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


def test_changes_and_citation_are_of_this_version():
    assert yaml.safe_load((ROOT / 'CITATION.cff').read_text())['version'] == __version__
    assert re.findall(r'^## ([\d.]+)', (ROOT / 'CHANGELOG.md').read_text(), re.MULTILINE)[0] == __version__


def test_gpu_check_trains_from_the_wheel_alone(python, tmp_path):
    program = 'from repflow_mm.gpu_check.parts.training import training_files; print(*training_files())'
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run([python, '-c', program], cwd=tmp_path, env=env, capture_output=True, text=True)
    (copies,) = python.parents[1].glob('lib/python*/site-packages/repflow_mm/.mim')
    files = (copies / 'tools' / 'train.py', copies / 'configs' / 'demo' / 'repflow_r18_motion_clips.py')
    assert done.stdout == f'{" ".join(map(str, files))}\n', done.stderr


def test_training_and_testing_from_the_wheel_alone(python, tmp_path):
    """In an empty folder, what docs/first_training.md has the reader type."""
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    env.update(PATH=f'{python.parent}:{env["PATH"]}', OMP_NUM_THREADS='1')

    def shell(text):
        for words, instead in SMALLER.items():
            text = re.sub(words, instead, text)
        done = subprocess.run(['bash', '-ec', text], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    said = ''
    for block in blocks(page='docs/first_training.md'):
        if block.language == 'bash':
            said += shell(block.text)
        elif block.file:
            (tmp_path / block.file).write_text(block.text)
    assert '8 classes of 5' in said and '32 lines: 32 ok' in said
    assert len(re.findall(r'Epoch\((?:val|test)\).*acc/top1', said)) == 4, 'a validation and a test of each network'
    assert '| fusion |' in said and '8 samples, 8 classes; equal weights.' in said
    assert str(python.parents[1]) in shell('repflow-mm doctor').splitlines()[0]
    assert not list(tmp_path.glob('repflow_mm*'))

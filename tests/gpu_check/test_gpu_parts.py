"""What parts of the check do on a GPU, as far as it can be seen without one."""

import hashlib
import subprocess

import pytest
import torch
from helpers import ROOT, run_python

from repflow_mm import resources
from repflow_mm.gpu_check.parts import (
    MMACTION,
    PARTS,
    TOTAL_SECONDS,
    VIDEOS,
    concurrency,
    device,
    parity,
    sanitizer,
    torch_compile,
    training,
)
from repflow_mm.timed_parts.context import Context
from repflow_mm.timed_parts.runner import missing_modules, time_limit

SANITIZER = """#!/bin/sh
echo "flags $*"
echo "caching off $PYTORCH_NO_CUDA_MEMORY_CACHING"
echo "========= ERROR SUMMARY: 1 error"
case "$*" in *memcheck*) exit 86 ;; esac
"""


@pytest.fixture
def records():
    """What a part has emitted."""
    return []


@pytest.fixture
def emit(records):
    return lambda **record: records.append(record)


IMPORT_PARTS = """
from repflow_mm.gpu_check import cli
from repflow_mm.testing import solver_cases
print([part.name for part in cli.PARTS if part.load().tables([])])
"""


@pytest.mark.skipif(missing_modules(['triton']), reason='triton is not installed')
def test_torch_and_triton_are_enough_to_import_every_part(tmp_path):
    for name in (*MMACTION, *VIDEOS):
        (tmp_path / f'{name}.py').write_text(f'raise ModuleNotFoundError("No module named {name}", name="{name}")\n')
    done = run_python('-c', IMPORT_PARTS, cwd=tmp_path, path=(tmp_path,))
    assert done.stdout == f'{[part.name for part in PARTS]}\n', done.stderr


def test_the_limits_of_all_parts_are_the_eight_minutes():
    assert TOTAL_SECONDS == 8 * 60
    assert [time_limit(PARTS[index:], TOTAL_SECONDS - sum(p.seconds for p in PARTS[:index]))
            for index in range(len(PARTS))] == pytest.approx([p.seconds for p in PARTS])  # fmt: skip


def test_parity_comes_before_times_and_times_before_training():
    names = [p.name for p in PARTS]
    assert names == ['device', 'compilation', 'parity', 'sanitizer', 'concurrency', 'solver', 'networks', 'training',
                     'torch_compile']  # fmt: skip
    assert [p.name for p in PARTS if p.must_finish] == ['parity', 'concurrency']


def test_the_sanitizer_sees_each_tensor_by_itself(tmp_path, monkeypatch, records, emit):
    program = tmp_path / 'cuda-13' / 'bin' / sanitizer.PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text(SANITIZER)
    program.chmod(0o755)
    monkeypatch.setattr(sanitizer, 'FOLDERS', (f'{tmp_path}/cuda-*/bin',))
    sanitizer.run(emit, Context(tmp_path, 60.0))
    assert [(record['tool'], record['ok'], record['summary']) for record in records] == [
        ('memcheck', False, 'ERROR SUMMARY: 1 error'),
        ('racecheck', True, 'ERROR SUMMARY: 1 error'),
    ]
    flags, caching = (tmp_path / 'memcheck.log').read_text().splitlines()[:2]
    assert flags.startswith('flags --tool memcheck --report-api-errors no --error-exitcode 86 ')
    assert flags.endswith(f'-m {sanitizer.__name__}') and caching == 'caching off 1'
    assert 'api-errors' not in (tmp_path / 'racecheck.log').read_text()


def test_a_missing_sanitizer_is_said_to_be_missing(tmp_path, monkeypatch, records, emit):
    monkeypatch.setattr(sanitizer, 'FOLDERS', (f'{tmp_path}/cuda-*/bin',))
    sanitizer.run(emit, Context(tmp_path, 60.0))
    why = f'compute-sanitizer is neither on PATH nor in {tmp_path}/cuda-*/bin'
    assert records == [dict(table='missing', why=why)]
    assert sanitizer.tables(records)[0].rows == [(why, '', '', 'not checked')]


def test_parity_says_what_it_had_to_compile(tmp_path, monkeypatch, records, emit):
    def compile_one(function, cases, processes):
        (tmp_path / 'triton_cache' / 'abc').mkdir(parents=True)
        (tmp_path / 'triton_cache' / 'abc' / 'rep_flow_fwd_kernel.cubin').touch()
        yield from ((case, lambda: []) for case in cases)

    monkeypatch.setattr(parity, 'call_in_processes', compile_one)
    monkeypatch.setattr(parity, '_repeat', lambda *_: dict(ok=True))
    parity.run(emit, Context(tmp_path, 60.0, rehearsal=True))
    assert records[0] == dict(table='compiled anew', kernels=1)
    assert parity.tables(records)[0].about.endswith(' Kernels that had to be compiled for it: 1.')


def test_a_digest_is_that_of_the_bits():
    tensors = [torch.arange(6.0).view(2, 3).T, torch.tensor(-0.0)]
    bits = b''.join(tensor.contiguous().numpy().tobytes() for tensor in tensors)
    assert concurrency.digest(tensors) == hashlib.sha256(bits).hexdigest()
    assert concurrency.digest(tensors) != concurrency.digest([tensors[0], torch.tensor(0.0)])


def test_a_driver_that_does_not_answer_is_unknown(monkeypatch):
    def hang(*args, timeout, **kwargs):
        raise subprocess.TimeoutExpired(args, timeout)

    monkeypatch.setattr(device.shutil, 'which', lambda name: name)
    monkeypatch.setattr(device.subprocess, 'run', hang)
    assert device._query('driver_version') == 'unknown'


def test_torch_compile_goes_on_without_mmaction2(tmp_path, monkeypatch, records, emit):
    def fail(*args):
        raise ImportError('no module that fits')

    monkeypatch.setattr(torch_compile, '_network_calls', fail)
    monkeypatch.setattr(torch_compile, '_emit_times', lambda emit, context, name, call: emit(name=name))
    monkeypatch.setattr(torch, 'compile', lambda function, **kwargs: function)
    torch_compile.run(emit, Context(tmp_path, 60.0))
    assert [record['name'] for record in records] == [
        'reference, 28×28, forward',
        'RepFlow network',
        'reference, 28×28, forward + backward',
    ]
    assert records[1]['why'] == 'ImportError: no module that fits' and 'ok' not in records[1]


def test_the_training_is_that_of_the_checkout():
    files = (ROOT / 'tools' / 'train.py', ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py')
    assert training.training_files() == files


@pytest.mark.parametrize('copied', [False, True], ids=['the package alone', 'with configs, but no tools'])
def test_the_training_says_what_is_not_there(tmp_path, monkeypatch, records, emit, copied):
    if copied:
        (tmp_path / '.mim' / 'configs' / '_base_').mkdir(parents=True)
        (tmp_path / '.mim' / 'configs' / '_base_' / 'default_runtime.py').touch()
    monkeypatch.setattr(resources, 'PACKAGE', tmp_path)
    training.run(emit, Context(tmp_path, 60.0))
    (record,) = records
    assert ('tools/train.py and ' if copied else 'has no configs: install the package again') in record['why']
    assert 'ok' not in record and training.tables(records)[0].rows[0][0] == record['why']


@pytest.mark.skipif(missing_modules(['triton']), reason='triton is not installed')
def test_what_networks_and_the_training_launch_is_compiled_before_them(tmp_path):
    from repflow_mm.gpu_check.parts.compilation import _solves, list_jobs

    jobs = [job.describe() for job in list_jobs(_solves(Context(tmp_path, 60.0)), 'cpu')]
    sizes = [job['size'] for job in jobs if job['direction'] == 'backward']
    for size in ('16×16', '28×28', '14×14', '28×28, channels last', '14×14, channels last'):
        assert sizes.count(size) >= 2, size  # the states and the adjoint

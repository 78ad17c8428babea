import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from repflow_mm.ops.triton import operator as cuda

CASES = Path(__file__).with_name('triton_cases.py')
needs_triton = pytest.mark.skipif(importlib.util.find_spec('triton') is None, reason='triton is not installed')


def run(*command, **environment):
    """Run Python in a process of its own, without the interpreter but where ``environment`` asks for it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(('TRITON_', 'PYTEST_'))}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env={**inherited, **environment},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@needs_triton
def test_kernels_in_the_interpreter():
    out = run('-m', 'pytest', '-q', '-p', 'no:cacheprovider', CASES, TRITON_INTERPRET='1', CUDA_VISIBLE_DEVICES='')
    assert 'passed' in out and 'skipped' not in out


@needs_triton
def test_kernels_as_code_for_a_device():
    out = run('-m', 'pytest', '-q', '-p', 'no:cacheprovider', CASES, EMULATE_PTX='1', CUDA_VISIBLE_DEVICES='')
    assert 'passed' in out and 'skipped' not in out


@pytest.mark.gpu
@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_kernels_on_the_device():
    out = run('-m', 'pytest', '-q', '-p', 'no:cacheprovider', CASES)
    assert 'passed' in out and 'skipped' not in out


def test_reasons_quote_device_and_dtype(monkeypatch):
    monkeypatch.delenv('TRITON_INTERPRET', raising=False)
    reasons = cuda.unsupported_reasons(torch.zeros(1, 1, 2, 2, 2, dtype=torch.float64))
    assert reasons[0].startswith('device is cpu (supported: cuda')
    assert reasons[1] == 'dtype is float64 (supported: float32)'


@needs_triton
@pytest.mark.parametrize('dtype', cuda.DTYPES, ids=str)
def test_no_reason_in_the_interpreter(dtype, monkeypatch):
    monkeypatch.setenv('TRITON_INTERPRET', '1')
    assert cuda.unsupported_reasons(torch.zeros(1, 1, 2, 2, 2, dtype=dtype)) == []


def test_reason_for_a_missing_triton(monkeypatch):
    monkeypatch.setenv('TRITON_INTERPRET', '1')
    monkeypatch.setattr(cuda, '_has_triton', lambda: False)
    assert cuda.unsupported_reasons(torch.zeros(1, 1, 2, 2, 2)) == ['triton is not installed']


@pytest.mark.parametrize('capability, accepted', [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_reason_for_an_old_device(capability, accepted, monkeypatch):
    monkeypatch.setattr(torch.version, 'hip', None)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)
    cuda._device_reasons.cache_clear()
    reasons = cuda._device_reasons(torch.device('cuda'))
    cuda._device_reasons.cache_clear()
    assert reasons == ([] if accepted else ['compute capability is 7.5 (supported: 8.0 and newer)'])


def test_kernels_are_imported_at_the_first_call_only():
    run('-c', 'import sys, repflow_mm.ops; assert "repflow_mm.ops.triton.forward" not in sys.modules')

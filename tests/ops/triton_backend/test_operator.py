import importlib.util
import subprocess
import sys
import warnings

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from repflow_mm.ops.triton import operator as cuda

needs_triton = pytest.mark.skipif(importlib.util.find_spec('triton') is None, reason='triton is not installed')


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


def test_compiled_code_does_not_ask_the_machine_again(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.version, 'hip', None)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: asked.append(device) or (9, 0))
    cuda._device_reasons.cache_clear()
    compiled = torch.compile(lambda x: x + bool(cuda.unsupported_reasons(x)), fullgraph=True, backend='eager')
    with warnings.catch_warnings(), FakeTensorMode():
        warnings.simplefilter('error')
        x = torch.empty(1, 1, 2, 2, 2, device='cuda')
        assert [compiled(x).shape for _ in range(3)] == [x.shape] * 3
    cuda._device_reasons.cache_clear()
    assert len(asked) == 1


def test_kernels_are_imported_at_the_first_call_only():
    code = 'import sys, repflow_mm.ops; assert "repflow_mm.ops.triton.forward" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True)

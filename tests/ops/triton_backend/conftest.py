import importlib.util

import modes
import pytest
import torch

HAS_TRITON = importlib.util.find_spec('triton') is not None
HAS_DEVICE = HAS_TRITON and torch.cuda.is_available()
MODES = (
    'interpreter',
    'emulator',
    pytest.param('device', marks=[pytest.mark.gpu, pytest.mark.skipif(not HAS_DEVICE, reason='no CUDA device')]),
)


@pytest.fixture(scope='module', params=MODES)
def mode(request):
    """Each way to run the kernels in turn; ``parametrize`` with ``indirect`` chooses among them."""
    if not HAS_TRITON:
        pytest.skip('triton is not installed')
    with getattr(modes, request.param)() as chosen:
        yield chosen

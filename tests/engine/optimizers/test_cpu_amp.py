import pytest
import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.registry import init_default_scope

from repflow_mm.engine import CpuAmpOptimWrapper


def test_forward_runs_in_bfloat16_and_the_update_in_float32():
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    before = model.weight.detach().clone()
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='CpuAmpOptimWrapper', optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    )
    assert isinstance(wrapper, CpuAmpOptimWrapper)
    with wrapper.optim_context(model):
        out = model(torch.rand(3, 4))
    assert out.dtype == torch.bfloat16
    wrapper.update_params(out.float().square().mean())
    assert model.weight.dtype == torch.float32
    assert (model.weight != before).any()
    assert model.weight.isfinite().all()
    assert model(torch.rand(3, 4)).dtype == torch.float32


def test_gradients_accumulate():
    model = torch.nn.Linear(4, 2, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = CpuAmpOptimWrapper(optimizer=optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, init_counts=0, max_counts=4)
    before = model.weight.detach().clone()
    changed = []
    for _ in range(2):
        with wrapper.optim_context(model):
            loss = model(torch.ones(3, 4)).float().sum()
        wrapper.update_params(loss)
        changed.append(not torch.equal(model.weight, before))
    assert changed == [False, True]


@pytest.mark.parametrize(
    ('loss_scale', 'scale'), [('dynamic', 2.0**16), (8.0, 8.0), (dict(init_scale=4.0), 4.0), (None, 1.0)]
)
def test_gradients_that_float16_loses_without_a_scale(loss_scale, scale):
    model = torch.nn.Linear(4, 2, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = CpuAmpOptimWrapper(dtype='float16', loss_scale=loss_scale, optimizer=optimizer)
    assert wrapper.loss_scaler.get_scale() == scale
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        loss = model(torch.ones(3, 4)).float().sum() * 2.0**-26
    wrapper.update_params(loss)
    assert torch.equal(model.weight, before) == (scale == 1)
    restored = CpuAmpOptimWrapper(loss_scale=loss_scale, optimizer=torch.optim.SGD(model.parameters(), lr=1.0))
    restored.load_state_dict(wrapper.state_dict())
    assert restored.loss_scaler.state_dict() == wrapper.loss_scaler.state_dict()


def test_float16_can_be_tried():
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = CpuAmpOptimWrapper(dtype='float16', optimizer=optimizer)
    with wrapper.optim_context(model):
        assert model(torch.rand(3, 4)).dtype == torch.float16
    with pytest.raises(ValueError, match=r"loss_scale must be None, 'dynamic', a float or a dict, got 'large'"):
        CpuAmpOptimWrapper(loss_scale='large', optimizer=optimizer)
    with pytest.raises(ValueError, match=r"dtype must be one of \('bfloat16', 'float16'\), got 'float8'"):
        CpuAmpOptimWrapper(dtype='float8', optimizer=optimizer)

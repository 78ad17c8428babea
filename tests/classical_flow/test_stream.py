"""A stream's arguments; its values are tested with the preprocessor and the transform that give it to networks."""

import pytest
import torch

from repflow_mm.classical_flow import FlowStream


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (dict(bound=0), ValueError, 'bound must be > 0 and finite, in pixels, got 0'),
        (dict(bound=float('inf')), ValueError, 'bound must be > 0 and finite, in pixels, got inf'),
        (dict(bound='20'), TypeError, "bound must be a number, got str '20'"),
        (dict(bound=True), TypeError, 'bound must be a number, got bool True'),
        (dict(num_flows=3), ValueError, r'num_flows must be one of \(1, 2\), got 3'),
        (dict(stack_length=0), ValueError, 'stack_length must be >= 1, got 0'),
        (dict(stack_length=2.0), TypeError, 'stack_length must be an int, got float 2.0'),
        (dict(max_pairs=0), ValueError, 'max_pairs must be >= 1, got 0'),
        (dict(method='hs'), ValueError, "method must be one of .* got 'hs'"),
        (dict(parameters=dict(iterations=5)), ValueError, r"parameters of 'tvl1' must have keys .* got 'iterations'"),
        (dict(method='brox', parameters=dict(alpha=0)), ValueError, 'alpha must be > 0, got 0'),
    ],
    ids=str,
)
def test_wrong_arguments_are_quoted(kwargs, error, message):
    with pytest.raises(error, match=message):
        FlowStream(**kwargs)


def test_it_shows_what_it_is():
    shown = repr(FlowStream(bound=5, method='dis'))
    assert shown == (
        "FlowStream(bound=5.0, num_flows=1, stack_length=None, method='dis', parameters=DISParameters(preset='fast'))"
    )


@pytest.mark.parametrize('method', ['tvl1', 'brox', 'farneback', 'dis'])
def test_flow_of_flow_by_every_method(method):
    frames = torch.randint(0, 256, (2, 3, 4, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    flows = FlowStream(num_flows=2, stack_length=2, method=method, bound=3)(frames)
    assert flows.shape == (2, 8, 1, 20, 24) and flows.dtype == torch.float32
    assert flows.isfinite().all() and flows.abs().max() <= 1

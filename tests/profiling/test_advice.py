import re

import pytest
from torch import nn

from repflow_mm.models import RepresentationFlow
from repflow_mm.profiling.advice import FLOW_BLOCK, FLOW_SOLVER, LOADING, NETWORK, Settings, advise, step_shares
from repflow_mm.profiling.loading import PipelineProfile
from repflow_mm.profiling.network import NetworkProfile
from repflow_mm.profiling.training import (
    BACKWARD,
    FLOW,
    FORWARD,
    OPTIMIZER,
    PREPROCESSING,
    SOLVERS,
    LoadedProfile,
    StepProfile,
)

SECONDS = {
    'backbone.stem': 1.0,
    'backbone.layer1': 3.0,
    'backbone.flow_blocks.a': 5.0,
    'backbone.flow_blocks.a solver': 2.0,
}
NETWORK_PROFILE = NetworkProfile((3, 4, 8, 8), 2, {}, {}, SECONDS, 11.0, {'backbone.flow_blocks.a.steps.flow0': 'cpu'})
MODEL = nn.Sequential(RepresentationFlow(4, num_iters=30))
PIPELINE = PipelineProfile(dict(VideoInit=0.1, VideoDecode=0.7, Resize=0.2), (720, 1280), (224, 224))


def settings(**changes):
    few = dict(num_workers=0, persistent_workers=False, cores=8, device='cuda', is_mixed=False, is_compiled=False)
    return Settings(**few | changes)


def test_shares_of_a_step():
    names = (PREPROCESSING, FORWARD, BACKWARD, *FLOW, *SOLVERS, OPTIMIZER)
    step = StepProfile(2, 10.0, dict(zip(names, (0.0, 1.0, 2.0, 0.5, 0.5, 3.0, 2.5, 0.5))))
    assert step_shares(step) == {
        FLOW_SOLVER: pytest.approx(0.55), NETWORK: pytest.approx(0.3), FLOW_BLOCK: pytest.approx(0.1),
        OPTIMIZER: pytest.approx(0.05),
    }  # fmt: skip
    assert next(iter(step_shares(step))) == FLOW_SOLVER
    waiting = step_shares(step, LoadedProfile(seconds=40.0, wait=30.0, loading=30.0))
    assert next(iter(waiting)) == LOADING and waiting[LOADING] == 0.75
    assert waiting[FLOW_SOLVER] == pytest.approx(0.55 / 4) and sum(waiting.values()) == pytest.approx(1)
    ready = step_shares(step, LoadedProfile(seconds=10.0, wait=0.0, loading=1.0))
    assert next(iter(ready)) == FLOW_SOLVER and ready[LOADING] == 0


@pytest.mark.parametrize(
    ('bottleneck', 'changes', 'said'),
    [
        (LOADING, dict(), ['num_workers is 0.*set it to 7', '70 % of the time.*720×1280.*sees 224×224', 'decoder']),
        (LOADING, dict(num_workers=4), ['is 4: raise it, up to 8', 'persistent_workers=True']),
        (LOADING, dict(num_workers=8, persistent_workers=True), ['is 8 with 8 cores: more processes will not help']),
        (PREPROCESSING, dict(), ['ComputeFlow']),
        (OPTIMIZER, dict(), ['accumulative_counts', 'foreach=True']),
        (NETWORK, dict(), ['--amp$', 'backbone.layer1 takes the most, 27 % of a forward pass', 'compile=True']),
        (NETWORK, dict(device='cpu'), ['--amp, bfloat16', 'a GPU']),
        (FLOW_SOLVER, dict(), [r'flow.num_iters \(30\) and flow.channels \(4\)', 'a later flow.after']),
        (FLOW_BLOCK, dict(), [r'flow.num_iters \(30\)']),
    ],
)  # fmt: skip
def test_advice_names_what_is_set(bottleneck, changes, said):
    lines = advise(bottleneck, settings(**changes), MODEL, NETWORK_PROFILE, PIPELINE)
    for pattern in said:
        assert [line for line in lines if re.search(pattern, line)], (pattern, lines)


def test_no_advice_for_what_is_done():
    network = ' '.join(advise(NETWORK, settings(is_mixed=True, is_compiled=True), MODEL, NETWORK_PROFILE))
    assert '--amp' not in network and 'compile=True' not in network and 'GPU' not in network
    small = PipelineProfile(PIPELINE.seconds, (240, 320), (224, 224))
    assert '240' not in ' '.join(advise(LOADING, settings(), MODEL, NETWORK_PROFILE, small))
    computed = PipelineProfile(dict(VideoDecode=0.1, ComputeFlow=0.9), None, (224, 224))
    assert 'ComputeFlow is 90 % of the time for a sample: compute the flow once, with extract_flow' in advise(
        LOADING, settings(), MODEL, NETWORK_PROFILE, computed
    )


def test_reference_is_the_first_to_be_replaced():
    profile = NetworkProfile((3, 4, 8, 8), 2, {}, {}, SECONDS, 11.0, dict(layer='reference'))
    assert advise(FLOW_SOLVER, settings(), MODEL, profile)[0].startswith('layer runs the reference: a C compiler')

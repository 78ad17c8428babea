import copy
import importlib
import multiprocessing

import pytest
import torch
import torch.distributed as dist
from mmaction.registry import MODELS
from mmengine.runner import turn_on_activation_checkpointing
from torch import nn

import repflow_mm.registration  # noqa: F401
from repflow_mm.compat.checkpointing import checkpoint

NETWORKS = {
    'norm at the end': lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)),
    'dropout at the end': lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5)),
    'mean over all steps': lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, momentum=None), nn.ReLU()),
    'no running statistics': lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False)),
    'instances': lambda: nn.Sequential(nn.Conv1d(4, 6, 1), nn.InstanceNorm1d(6, track_running_stats=True), nn.ReLU()),
}
SMALL = dict(type='mmaction.ResNet', num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))


def train(network, call, x, steps=2):
    """The gradients of every step's backward pass, x's included, and the buffers at the end."""
    torch.manual_seed(7)
    gradients = []
    for _ in range(steps):
        x = x.detach().requires_grad_()
        network.zero_grad()
        call(x).square().mean().backward()
        gradients += [x.grad.clone(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)]
    return gradients, list(network.buffers())


def assert_equal(found, expected):
    for one, other in zip(found, expected):
        assert len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize('build', NETWORKS.values(), ids=NETWORKS)
def test_checkpointed_steps_are_the_plain_ones(build):
    plain = build()
    saving = copy.deepcopy(plain)
    buffers = list(saving.buffers())
    x = torch.randn(5, 4, *([3] if isinstance(plain[0], nn.Conv1d) else []))
    found = train(saving, lambda x: checkpoint(saving, x), x)
    assert_equal(found, train(plain, plain, x))
    assert all(map(lambda one, other: one is other, found[1], buffers)), 'what a guard may have kept is in place'


def test_fixed_statistics_are_used():
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4)).eval()
    x = torch.randn(3, 4)
    assert_equal(train(network, lambda x: checkpoint(network, x), x), train(network, network, x))
    assert network[0].num_batches_tracked == 0


def test_a_failing_second_pass_leaves_the_statistics():
    norm, calls = nn.BatchNorm1d(4), []

    def fail_later(x):
        calls.append(None)
        x = norm(x)
        if len(calls) > 1:
            raise RuntimeError('the second pass fails')
        return x.exp().exp()

    mean = norm.running_mean
    output = checkpoint(fail_later, torch.randn(3, 4, requires_grad=True))
    with pytest.raises(RuntimeError, match='the second pass fails'):
        output.sum().backward()
    assert norm.running_mean is mean and norm.num_batches_tracked == 1


@pytest.mark.parametrize(
    ('module', 'name'), [('resnet', 'cp'), ('resnet3d', 'cp'), ('tanet', 'cp'), ('x3d', 'cp'), ('swin', 'checkpoint')]
)
def test_upstreams_networks_checkpoint_so(module, name):
    assert getattr(importlib.import_module(f'mmaction.models.backbones.{module}'), name).checkpoint is checkpoint


@pytest.mark.parametrize('depth', [18, 50])
def test_upstreams_blocks(depth):
    torch.manual_seed(0)
    cfg = dict(SMALL, depth=depth)
    plain, saving = MODELS.build(cfg), MODELS.build(dict(cfg, with_cp=True))
    saving.load_state_dict(plain.state_dict())
    assert saving.layer1[0].with_cp and not plain.layer1[0].with_cp
    x = torch.randn(2, 3, 32, 32)
    assert_equal(train(saving, saving, x), train(plain, plain, x))


def test_activations_that_a_config_has_checkpointed():
    plain = nn.Sequential(nn.Linear(4, 6), NETWORKS['norm at the end']()[1], nn.ReLU())
    saving = copy.deepcopy(plain)
    turn_on_activation_checkpointing(saving, '1')
    x = torch.randn(5, 4)
    assert_equal(train(saving, saving, x), train(plain, plain, x))


def test_processes_that_find_unused_parameters(tmp_path):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = NETWORKS['dropout at the end'](), nn.Linear(2, 2)

        def forward(self, x):
            return checkpoint(self.used, x) if self.is_saving else self.used(x)

    saving = Network()
    plain = copy.deepcopy(saving)
    saving.is_saving, plain.is_saving = True, False
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(saving, find_unused_parameters=True)
        found = train(saving, parallel, torch.ones(5, 4).cumsum(0).cos())
    finally:
        dist.destroy_process_group()
    expected = train(plain, plain, torch.ones(5, 4).cumsum(0).cos())
    used = [gradient for gradient in found[0] if gradient.shape[-1:] != (2,)]
    assert_equal((used, found[1]), expected)


def steps_of_a_rank(rank, folder, find_unused_parameters):
    """Two steps of a network that checkpoints and of one that does not, each in two processes, on other data."""
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    x = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16).mul(rank + 1).cos()
    results = []
    for with_cp in (True, False):
        torch.manual_seed(0)
        network = MODELS.build(dict(SMALL, depth=50, with_cp=with_cp))
        network.unused = nn.Linear(2, 2) if find_unused_parameters else nn.Identity()
        parallel = nn.parallel.DistributedDataParallel(network, find_unused_parameters=find_unused_parameters)
        results.append(train(network, parallel, x))
    assert_equal(*results)
    torch.save(results[0], f'{folder}/{rank}.pth')


@pytest.mark.parametrize('find_unused_parameters', [False, True])
def test_two_processes(tmp_path, find_unused_parameters):
    context = multiprocessing.get_context('fork')
    ranks = [context.Process(target=steps_of_a_rank, args=(k, tmp_path, find_unused_parameters)) for k in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(100)
    assert [process.exitcode for process in ranks] == [0, 0]
    (gradients, buffers), (others, other_buffers) = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    of_parameters = [(one, other) for one, other in zip(gradients, others) if one.shape != (2, 3, 16, 16)]
    assert len(of_parameters) > 40 and all(torch.equal(*pair) for pair in of_parameters), 'they are averaged'
    assert not all(map(torch.equal, buffers, other_buffers)), 'each process has statistics of its own data'

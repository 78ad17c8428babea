"""A tiny network, in whose loss or gradient some steps put numbers that are not finite."""

import math
import re
from types import SimpleNamespace

import pytest
import torch
from helpers import fork_ranks
from mmengine.dist import get_rank, init_dist
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from repflow_mm.engine import CpuAmpOptimWrapper, FiniteNumbersHook
from repflow_mm.engine.optimizers.step_guard import are_finite
from repflow_mm.models.layers import RepresentationFlow

# What the network does with an input that holds this number in place of its first element.
NAN_LOSS, INF_LOSS, NAN_GRADIENT = 1e3, 2e3, 3e3


class Network(BaseModel):
    """A linear layer and a batch norm, beside a flow layer; obeys the numbers above."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.flow = nn.Linear(4, 3), nn.BatchNorm1d(3), RepresentationFlow(1, learn=())

    def forward(self, inputs, data_samples=None, mode='loss'):
        order = float(inputs[0, 0])
        y = self.norm(self.linear(inputs * (math.nan if order == NAN_LOSS else 1)))
        loss = (y**2).mean() + y.sum()
        if order == INF_LOSS:
            loss = loss + math.inf
        if order == NAN_GRADIENT:
            loss = loss + (0 * self.linear.weight).abs().sum().sqrt()
        return dict(loss=loss)


class Batches(torch.utils.data.Dataset):
    """Samples of which those named by ``orders`` carry an order."""

    def __init__(self, length, orders):
        self.data = torch.randn(length, 2, 4, generator=torch.Generator().manual_seed(0))
        for index, order in orders.items():
            self.data[index, 0, 0] = order

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        samples = [SimpleNamespace(metainfo=dict(filename=f'{index}{name}.mp4')) for name in 'ab']
        return dict(inputs=self.data[index], data_samples=samples)


class Record(Hook):
    """The weights and buffers after each step."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def before_train(self, runner):
        self.after_train_iter(runner)

    def after_train_iter(self, runner, **kwargs):
        self.states.append({name: value.clone() for name, value in runner.model.state_dict().items()})


number_of_runs = 0


def train(tmp_path, orders=None, length=4, epochs=1, hooks=None, wrapper=None, **settings):
    """Train the network; returns the runner and the states before the first and after each step."""
    global number_of_runs
    number_of_runs += 1
    torch.manual_seed(0)
    record, model = Record(), Network()
    runner = Runner(
        model,
        str(tmp_path),
        train_dataloader=dict(
            dataset=Batches(length, orders or {}),
            batch_size=None,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=lambda sample: sample,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=wrapper(model) if wrapper else dict(optimizer=dict(type='Adam', lr=0.1), **settings),
        custom_hooks=[*([FiniteNumbersHook()] if hooks is None else hooks), record],
        experiment_name=f'finite_numbers_{number_of_runs}',
    )
    runner.record = record
    runner.train()
    return runner, record.states


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_finite_run_is_the_same_with_and_without_the_hook(tmp_path):
    for settings in (dict(), dict(clip_grad=dict(max_norm=0.1)), dict(accumulative_counts=2)):
        guarded, plain = train(tmp_path, **settings)[1], train(tmp_path, hooks=(), **settings)[1]
        assert all(same(a, b) for a, b in zip(guarded, plain)) and not same(plain[0], plain[-1])


@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0), dict(type='value', clip_value=1.0)])
@pytest.mark.parametrize('order', [NAN_LOSS, INF_LOSS, NAN_GRADIENT])
def test_step_that_is_not_finite_is_as_if_it_had_not_been(tmp_path, order, clip):
    settings = {} if clip is None else dict(clip_grad=dict(clip))
    runner, states = train(tmp_path, {1: order}, **settings)
    assert same(states[2], states[1]) and not same(states[1], states[0]) and not same(states[3], states[2])
    assert all(are_finite(value for value in state.values() if value.is_floating_point()) for state in states)
    assert runner.message_hub.get_info('skipped_steps') == 1


def test_skipped_steps_are_told(tmp_path):
    train(tmp_path, {1: NAN_LOSS, 3: NAN_LOSS})
    output = next(tmp_path.glob('*/*.log')).read_text()
    assert 'step 2 is skipped: its loss or gradient is not finite (1 skipped so far, 1 in a row)' in output
    assert 'step 4 is skipped: its loss or gradient is not finite (2 skipped so far, 1 in a row)' in output
    assert '2 steps were skipped, their loss or gradient was not finite' in output


def test_accumulated_gradient_is_skipped_as_a_whole(tmp_path):
    runner, states = train(tmp_path, {2: NAN_LOSS}, length=6, accumulative_counts=2)
    assert same(states[4], states[2]) and not same(states[2], states[0]) and not same(states[6], states[4])
    assert runner.message_hub.get_info('skipped_steps') == 1


def test_run_ends_after_some_skipped_steps_in_a_row(tmp_path):
    orders = dict.fromkeys([0, 1, 3, 4, 5], NAN_LOSS)
    message = (
        'the training ends at iteration 6: the loss or gradient of 3 steps in a row is not finite. The last batch: '
        '5a.mp4, 5b.mp4. Flow layers: flow theta 0.3, lam 0.15, tau 0.25. A lower learning rate may help'
    )
    with pytest.raises(FloatingPointError, match=re.escape(message)):
        train(tmp_path, orders, length=8, hooks=(FiniteNumbersHook(max_in_row=3),))
    with pytest.raises(ValueError, match='max_in_row must be >= 1, got 0'):
        FiniteNumbersHook(max_in_row=0)


class Overflow(FiniteNumbersHook):
    """Puts a number into the weights that is not finite, as an optimizer with a large learning rate would."""

    def __init__(self, iteration):
        super().__init__()
        self.iteration = iteration

    def before_train_iter(self, runner, **kwargs):
        if runner.iter == self.iteration:
            runner.model.linear.weight.data[0, 0] = math.inf
            runner.model.linear.weight.requires_grad_(False)
        super().before_train_iter(runner, **kwargs)


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    train(tmp_path)
    good = (tmp_path / 'epoch_1.pth').read_bytes()
    with pytest.raises(
        FloatingPointError, match=r'epoch 1 ends with weights that are not finite: linear\.weight; they'
    ):
        train(tmp_path, hooks=(Overflow(3),))
    assert (tmp_path / 'epoch_1.pth').read_bytes() == good
    runner, _ = train(tmp_path)
    runner.model.norm.running_mean[:] = math.nan
    with pytest.raises(FloatingPointError, match=r'iteration 4 has weights that are not finite: norm\.running_mean;'):
        runner.save_checkpoint(str(tmp_path), 'best_acc_epoch_1.pth')
    assert not (tmp_path / 'best_acc_epoch_1.pth').exists()


def test_training_does_not_start_from_weights_that_are_not_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(nn.Linear, 'reset_parameters', lambda self: nn.init.constant_(self.weight, math.nan))
    with pytest.raises(FloatingPointError, match=r'would start from weights that are not finite: linear\.weight'):
        train(tmp_path)


def scaled(loss_scale):
    return lambda model: CpuAmpOptimWrapper(
        loss_scale=loss_scale, optimizer=torch.optim.SGD(model.parameters(), lr=0.1)
    )


def test_steps_that_a_loss_scaler_skips_are_counted_and_are_no_error(tmp_path):
    hooks = (FiniteNumbersHook(max_in_row=2),)
    runner, states = train(tmp_path, wrapper=scaled(dict(init_scale=2.0**127)), length=8, hooks=hooks)
    skipped = runner.message_hub.get_info('skipped_steps')
    assert 2 < skipped == sum(same(*pair) for pair in zip(states, states[1:])) < 8
    assert runner.optim_wrapper.loss_scaler.get_scale() == 2.0 ** (127 - skipped)


@pytest.mark.parametrize('loss_scale', [dict(init_scale=4.0), 4.0, None])
def test_loss_scaler_that_finds_no_scale_ends_the_run(tmp_path, loss_scale):
    hooks = (FiniteNumbersHook(max_in_row=2),)
    with pytest.raises(FloatingPointError, match='the loss or gradient of 2 steps in a row is not finite'):
        train(tmp_path, dict.fromkeys(range(8), NAN_LOSS), wrapper=scaled(loss_scale), length=8, hooks=hooks)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_tensors(dtype):
    largest = torch.finfo(dtype).max
    assert are_finite([torch.tensor([largest, -largest, 0], dtype=dtype), torch.zeros(0, dtype=dtype)])
    for bad in (math.nan, math.inf, -math.inf):
        assert not are_finite([torch.zeros(3), torch.tensor([0, bad, 1], dtype=dtype)])
    sparse = torch.sparse_coo_tensor([[0, 0]], torch.tensor([math.inf, 1]), (3,), check_invariants=True)
    assert not are_finite([sparse]) and are_finite([torch.eye(2).to_sparse()])


def train_as_rank(folder):
    """Train in one of two processes; what became of it goes to a file of the process."""
    init_dist('pytorch')
    batches = Batches(6, {1: NAN_LOSS, 3: NAN_LOSS})
    runner = Runner(
        Network(), str(folder), launcher='pytorch', experiment_name='ranks',
        train_dataloader=dict(dataset=batches, batch_size=None, collate_fn=lambda sample: sample,
                              sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=1), optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[FiniteNumbersHook(max_in_row=2)],
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel')),
    )  # fmt: skip
    with pytest.raises(FloatingPointError) as caught:
        runner.train()
    parameters = torch.cat([parameter.detach().flatten() for parameter in runner.model.parameters()])
    (folder / f'{get_rank()}.txt').write_text(f'{caught.value} {parameters.sum()}')


@pytest.mark.skipif(torch.cuda.is_available(), reason='looks at gloo processes on a CPU')
def test_processes_decide_alike_when_the_loss_of_one_is_not_finite(tmp_path):
    # Process 1 has the samples 1, 3 and 5, of which the first two are bad.
    assert fork_ranks(2, lambda rank: train_as_rank(tmp_path)) == [0, 0]
    words = [(tmp_path / f'{rank}.txt').read_text() for rank in range(2)]
    assert all('The last batch: of process 1: 3a.mp4, 3b.mp4. Flow' in text for text in words)
    assert len({text.rpartition(' ')[2] for text in words}) == 1

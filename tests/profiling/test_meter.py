import pytest
import torch
from torch import nn

from repflow_mm.profiling.meter import Meter


class Clock:
    """Goes on by what those who work tell it."""

    now = 0

    def read(self):
        return self.now


class Work(nn.Module):
    """The identity, which takes ``forth`` of a clock's time, and ``back`` in the backward pass."""

    def __init__(self, clock, forth, back):
        super().__init__()

        class Function(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                clock.now += forth
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):
                clock.now += back
                return gradient

        self.function, self.weight = Function, nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.function.apply(x * self.weight)


def test_what_runs_inside_of_a_part_is_not_booked_to_it():
    clock = Clock()
    meter = Meter(clock.read)
    clock.now += 1000  # before all parts: booked to none
    with meter.part('outer'):
        clock.now += 1
        for _ in range(2):
            with meter.part('inner'):
                clock.now += 20
        clock.now += 300
    clock.now += 1000
    assert meter.amounts == dict(outer=301, inner=40)


def test_a_part_ends_with_an_error_too():
    clock = Clock()
    meter = Meter(clock.read)
    with meter.part('outer'):
        with pytest.raises(ValueError), meter.part('inner'):
            clock.now += 3
            raise ValueError
        clock.now += 5
    assert meter.amounts == dict(outer=5, inner=3)


def test_module_in_the_hooks_of_another_is_a_part_of_its_own():
    clock = Clock()
    network, before, after = Work(clock, 1, 0), Work(clock, 20, 0), Work(clock, 300, 0)
    network.register_forward_pre_hook(lambda module, args: (before(args[0]),))
    network.register_forward_hook(lambda module, args, output: after(output))
    meter = Meter(clock.read)
    with meter.watching(dict(network=[network], block=[before, after])):
        network(torch.ones(1))
    assert meter.amounts == dict(network=1, block=320)
    network(torch.ones(1))
    assert meter.amounts == dict(network=1, block=320)  # watched no more


def test_parts_of_a_backward_pass():
    clock = Clock()
    first, before, inner, after, last = (Work(clock, 1, back) for back in (2, 30, 400, 5000, 60000))
    network = nn.Sequential(first, nn.Sequential(before, inner, after), last)
    x = torch.ones(1, requires_grad=True)
    meter = Meter(clock.read)
    with meter.watching_backward(dict(block=[network[1]], solver=[inner])):
        loss = network(x).sum()
    with meter.part('rest'):
        loss.backward()
    assert meter.amounts == dict(rest=60002, block=5030, solver=400)


def test_backward_pass_of_a_module_whose_input_needs_no_gradient():
    clock = Clock()
    first, last = Work(clock, 1, 20), Work(clock, 1, 300)
    meter = Meter(clock.read)
    with meter.watching_backward(dict(block=[first])):
        loss = last(first(torch.ones(1))).sum()
    with meter.part('rest'):
        loss.backward()
        clock.now += 4000
    assert meter.amounts == dict(rest=4300, block=20)
    with meter.part('rest'):
        first(torch.ones(1)).sum().backward()
    assert meter.amounts == dict(rest=4321, block=20)  # watched no more


def test_frozen_module_has_no_backward_pass():
    clock = Clock()
    first, last = Work(clock, 1, 20), Work(clock, 1, 300)
    first.requires_grad_(False)
    meter = Meter(clock.read)
    with meter.watching_backward(dict(block=[first])), meter.part('rest'):
        last(first(torch.ones(1))).sum().backward()
    assert meter.amounts == dict(rest=302)


def test_watched_method_is_the_same_afterwards():
    clock = Clock()

    class Worker:
        def work(self, time):
            clock.now += time
            return time

    worker, meter = Worker(), Meter(clock.read)
    with meter.watching_method(worker, 'work', 'work'):
        assert worker.work(7) == 7
    worker.work(1)
    assert meter.amounts == dict(work=7)

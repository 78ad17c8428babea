import contextlib
import time
from types import SimpleNamespace

import torch
from torch.autograd import DeviceType

from repflow_mm.testing import timing
from repflow_mm.testing.timing import kept_bytes, kernel_seconds, median_interval, peak_bytes, seconds_of, summary


def test_calls_run_in_turn_after_one_unmeasured_round():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in 'ab'}
    seconds = seconds_of(calls, repeats=2)
    assert order == ['a', 'b'] * 3
    assert {name: len(values) for name, values in seconds.items()} == {'a': 2, 'b': 2}


def test_seconds_are_seconds():
    (seconds,) = seconds_of({'sleep': lambda: time.sleep(0.02)}, repeats=1)['sleep']
    assert 0.02 <= seconds < 1


def test_summary():
    assert summary([3.0, 1.0, 2.0]) == dict(min=1.0, median=2.0, max=3.0)


def test_interval_of_a_median():
    assert median_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert median_interval([float(value) for value in range(40)]) == (13.0, 26.0)
    draws = torch.randn(2000, 30, generator=torch.Generator().manual_seed(0)).exp()
    bounds = [median_interval(values.tolist()) for values in draws]
    assert 0.94 <= sum(low <= 1 <= high for low, high in bounds) / len(bounds) <= 0.98


def test_kernel_seconds_add_up_what_ran_on_the_device(monkeypatch):
    events = [
        SimpleNamespace(key='solve', device_type=DeviceType.CUDA, self_device_time_total=30.0),
        SimpleNamespace(key='launch', device_type=DeviceType.CPU, self_device_time_total=30.0),
        SimpleNamespace(key='fill', device_type=DeviceType.CUDA, self_device_time_total=12.0),
    ]
    profiler = SimpleNamespace(key_averages=lambda: events)
    monkeypatch.setattr(timing, 'profile', lambda activities: contextlib.nullcontext(profiler))
    calls = []
    assert kernel_seconds(lambda: calls.append(1), 'cpu') == 42e-6
    assert len(calls) == 2  # the first one compiles
    assert kernel_seconds(lambda: None, 'cpu', ('fi', 'la')) == 12e-6


def test_kept_bytes_count_what_the_backward_needs():
    x = torch.rand(1000, requires_grad=True)
    assert kept_bytes(lambda: x + x) == 0
    assert kept_bytes(lambda: x.exp().exp()) == 4000  # the inner exponential; the outer is the output


def test_peak_bytes_are_the_most_at_one_time():
    x = torch.rand(1000)
    assert peak_bytes(lambda: None) == 0
    assert peak_bytes(lambda: x.exp()) == 4000
    assert peak_bytes(lambda: x.exp().exp().exp()) == 8000  # an input and an output; the rest is freed
    assert peak_bytes(lambda: [x.exp() for _ in range(5)]) == 20000


def test_progress_bar_only_where_asked_for(capsys):
    seconds_of({'a': lambda: None}, repeats=1)
    assert capsys.readouterr().err == ''
    seconds_of({'a': lambda: None}, repeats=1, progress='measuring')
    assert 'measuring' in capsys.readouterr().err

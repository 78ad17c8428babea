import pytest

from repflow_mm.testing import own_time
from repflow_mm.testing.own_time import OwnTime


@pytest.fixture
def clock(monkeypatch):
    """Let time pass: ``clock(seconds)``."""
    now = [0.0]
    monkeypatch.setattr(own_time.time, 'perf_counter', lambda: now[0])

    def let_pass(seconds):
        now[0] += seconds

    return let_pass


def test_time_within_counts_and_time_within_that_does_not(clock):
    watch = OwnTime()
    inner = watch.left_out(lambda: clock(100.0))
    deep = watch.counted(lambda: clock(2.0))

    @watch.counted
    def outer(x):
        clock(1.0)
        inner()
        clock(1.0)
        return deep() or x

    clock(50.0)
    assert outer(7) == 7 and watch.seconds == 4.0
    inner()
    clock(50.0)
    assert watch.seconds == 4.0
    deep()
    assert watch.seconds == 6.0


def test_an_error_ends_the_count(clock):
    watch = OwnTime()

    @watch.counted
    def fail():
        clock(1.0)
        raise KeyError('x')

    with pytest.raises(KeyError):
        fail()
    clock(9.0)
    assert watch.seconds == 1.0

import pytest

from repflow_mm.testing.triton_launches import intercepted_launches


def test_launches_are_intercepted_within_the_context_alone():
    JITFunction = pytest.importorskip('triton.runtime.jit').JITFunction

    before = JITFunction.run
    with pytest.raises(KeyError, match='inside'), intercepted_launches(lambda *launch: None):
        assert JITFunction.run is not before
        raise KeyError('inside')
    assert JITFunction.run is before

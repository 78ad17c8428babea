import pytest

from repflow_mm.ops import limits

# One clip of two channels, three frames of 4 x 5: 2 pairs, 2 * 2 * 20 = 80 pixels.
SHAPE = (1, 2, 3, 4, 5)


def test_pixels():
    assert limits.count_pixels(SHAPE) == 80


def test_memory_limit():
    # 80 pixels * (2 read + 2 written) * 4 bytes = 1280 bytes, at 640 bytes a second.
    assert limits.memory_limit(SHAPE, bytes_per_second=640.0) == pytest.approx(2.0)
    assert limits.memory_limit(SHAPE, bytes_per_second=640.0, element_size=2) == pytest.approx(1.0)


def test_arithmetic_limit():
    # 80 pixels * 10 iterations * 69 = 55200 operations.
    assert limits.arithmetic_limit(SHAPE, 10, flops_per_second=5520.0) == pytest.approx(10.0)


def test_peak_flops():
    assert limits.peak_flops(num_processors=2, lanes=16, clock_hz=3e9) == pytest.approx(1.92e11)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r'shape must be \(N, C, T, H, W\), got \(2, 3\)'):
        limits.count_pixels((2, 3))

"""Operations of a forward solve, and the least time that they can take on a device."""

from __future__ import annotations

from collections.abc import Sequence

# One pixel, one iteration, both components, counted off the reference with a reciprocal in place of each pair of
# divisions and a multiplication by 1 / |grad F2|^2 in place of the division by it:
#   divergence  2 * (4 multiplications + 3 additions)                                            14
#   rho         2 multiplications + 2 additions                                                   4
#   step        1 multiplication + 2 for the clamp                                                3
#   u           2 * (2 multiplications + 2 additions)                                             8
#   gradient    2 * 2 * (2 multiplications + 1 addition)                                         12
#   p           2 * (4 for the squared norm, 1 root, 2 for the divisor, 1 reciprocal, 6 for p)   28
# An addition, multiplication, division, root, minimum or maximum is one operation; changes of sign, scalars that are
# the same for all pixels, and copies are none.
FLOPS_PER_PIXEL_ITERATION = 69

# One pixel of a pair, once: what the iterations keep fixed.
#   gradient     2 * 9 taps, a multiplication and an addition each                               36
#   rho_c        1 subtraction                                                                    1
#   1 / |grad|^2 2 squares, 2 additions, 1 reciprocal                                             5
FLOPS_PER_PIXEL = 42


def count_pixels(shape: Sequence[int]) -> int:
    """Pixels that are solved.

    Args:
        shape (Sequence[int]): (N, C, T, H, W) of the features.

    Returns:
        int: N * C * (T-1) * H * W.

    Raises:
        ValueError: If ``shape`` does not have 5 sizes.
    """
    if len(shape) != 5:
        raise ValueError(f'shape must be (N, C, T, H, W), got {tuple(shape)}')
    n, c, t, h, w = shape
    return n * c * (t - 1) * h * w


def count_operations(shape: Sequence[int], num_iters: int) -> int:
    """Operations of a forward solve, borders counted as inner pixels.

    Args:
        shape (Sequence[int]): (N, C, T, H, W) of the features.
        num_iters (int): Number of iterations.

    Returns:
        int: Additions, multiplications and so on, as listed at the top of this file.
    """
    return count_pixels(shape) * (FLOPS_PER_PIXEL + FLOPS_PER_PIXEL_ITERATION * num_iters)


def memory_limit(shape: Sequence[int], bytes_per_second: float, element_size: int = 4) -> float:
    """Seconds to read F1 and F2 of every pair once and to write both components of u once.

    Args:
        shape (Sequence[int]): (N, C, T, H, W) of the features.
        bytes_per_second (float): The device's memory bandwidth.
        element_size (int): Bytes of an element of the features and of u. Defaults to 4.

    Returns:
        float: Seconds.
    """
    return 4 * count_pixels(shape) * element_size / bytes_per_second


def arithmetic_limit(shape: Sequence[int], num_iters: int, flops_per_second: float) -> float:
    """Seconds that the iterations' arithmetic takes at the device's peak rate.

    Args:
        shape (Sequence[int]): (N, C, T, H, W) of the features.
        num_iters (int): Number of iterations.
        flops_per_second (float): The device's float32 rate, see :func:`peak_flops`.

    Returns:
        float: Seconds.
    """
    return FLOPS_PER_PIXEL_ITERATION * num_iters * count_pixels(shape) / flops_per_second


def peak_flops(num_processors: int, lanes: int, clock_hz: float) -> float:
    """Peak float32 rate, a fused multiply-add counted as two.

    Args:
        num_processors (int): Multiprocessors of a GPU, or cores.
        lanes (int): Fused multiply-adds that each starts a cycle: 128 on an NVIDIA GPU of compute capability 8.6
            to 9.0, 64 on 8.0, 16 on a CPU core with two AVX2 units.
        clock_hz (float): Clock in Hz.

    Returns:
        float: Operations per second.
    """
    return 2.0 * num_processors * lanes * clock_hz

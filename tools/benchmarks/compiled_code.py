"""What Triton compiles the solver's kernels to: registers, spills, instructions. Needs no GPU."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import torch

from benchmarks.parts import Part
from benchmarks.solver import Problem
from repflow_mm.markdown import markdown_table
from repflow_mm.ops.triton.operator import interpreted
from repflow_mm.testing.triton_launches import CAPABILITY, WARP, intercepted_launches

SIZES = (7, 14, 28, 56, 112)


def measure_code(sizes: Sequence[int] = SIZES, capability: int = CAPABILITY) -> list[dict]:
    """Sizes of the kernels that a forward and a backward solve of square maps launch.

    Args:
        sizes (Sequence[int]): Heights and widths. Defaults to 7, 14, 28, 56 and 112.
        capability (int): The GPU's compute capability, times 10. Defaults to 90.

    Returns:
        list[dict]: For each kernel ``name``, ``size``, ``use`` (forward, recompute or adjoint), ``pixels`` a thread,
        ``threads`` a program, ``registers`` a thread, ``spilled`` bytes a thread, ``instructions`` for a pixel and
        iteration (those of the loop, over the pixels of a thread), and ``seconds`` to compile it.

    Raises:
        RuntimeError: If Triton is asked to interpret its kernels.
    """
    if interpreted():
        raise RuntimeError('TRITON_INTERPRET is set: nothing would be compiled')
    # An empty cache: nothing that was compiled before is found.
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TRITON_CACHE_DIR=folder):
        return [row for size in sizes for row in _kernels_of(size, capability)]


def _kernels_of(size: int, capability: int) -> list[dict]:
    from repflow_mm.ops.triton.backward import triton_backward
    from repflow_mm.ops.triton.forward import triton_forward

    *inputs, num_iters = Problem(size, size, pairs=4, channels=8).arguments('cpu')
    inputs = [tensor.detach() for tensor in inputs]
    n, c, t, h, w = inputs[0].shape
    grad_u = torch.zeros((n, 2 * c, t - 1, h, w))
    rows = {}

    def handle(compiled, grid, arguments, seconds) -> None:
        if 'ROWS' not in arguments:
            return
        use = 'adjoint' if 'FIRST' in arguments else 'recompute' if arguments['STORE'] == 2 else 'forward'
        pixels = arguments['ROWS'] * arguments['PHASES']
        threads = WARP * compiled.metadata.num_warps
        row = dict(name=compiled.metadata.name, size=size, use=use, pixels=pixels, threads=threads)
        # Of a streamed plane, the launch that took longest to compile: the others are variants of it.
        if use not in rows or seconds > rows[use]['seconds']:
            rows[use] = row | _sizes_of(compiled.asm['cubin'], pixels) | dict(seconds=seconds)

    with intercepted_launches(handle, capability):
        triton_forward(*inputs, num_iters)
        triton_backward(grad_u, *inputs, num_iters)
    return list(rows.values())


def _sizes_of(cubin: bytes, pixels: int) -> dict:
    """Registers and spilled bytes of a thread, and its loop's instructions a pixel."""
    from triton.backends import nvidia

    cuobjdump = Path(nvidia.__file__).with_name('bin') / 'cuobjdump'
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(cubin)
        file.flush()
        command = [cuobjdump, '-res-usage', '-sass', file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, spilled = (int(re.search(rf'{name}:(\d+)', text)[1]) for name in ('REG', 'STACK'))
    return dict(registers=registers, spilled=spilled, instructions=_longest_loop(text) / pixels)


def _longest_loop(sass: str) -> int:
    """Instructions between a jump backwards and its target, the jump included."""
    jumps = re.findall(r'/\*([0-9a-f]{4,})\*/\s[^;/]*\bBRA(?:\.\w+)*\s[^;/]*0x([0-9a-f]+)', sass)
    spans = [(int(source, 16), int(target, 16)) for source, target in jumps]
    addresses = [int(address, 16) for address in re.findall(r'/\*([0-9a-f]{4,})\*/\s+\S.*;', sass)]
    return max(sum(target <= at <= source for at in addresses) for source, target in spans if target < source)


def code_table(results: Sequence[dict]) -> str:
    """The kernels as a Markdown table; instructions are those for a pixel and iteration."""
    header = ('map', 'kernel', 'pixels a thread', 'threads', 'registers', 'bytes spilled', 'instructions')
    rows = []
    for row in results:
        cells = [f'{row["size"]}×{row["size"]}', row['use'], row['pixels'], row['threads'], row['registers']]
        rows.append([*cells, row['spilled'], f'{row["instructions"]:.0f}', f'{row["seconds"]:.1f}'])
    return markdown_table((*header, 'seconds to compile'), rows)


def _run(args: argparse.Namespace) -> tuple[list[dict], str]:
    results = measure_code()
    return results, code_table(results)


PARTS = {
    'code': Part('registers, spills and instructions of the Triton kernels, without a GPU', lambda parser: None, _run)
}

"""The flow layer in ONNX: iterations as a Loop or unrolled, beside the C kernel."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.parts import Part
from repflow_mm.export.formats import count_nodes, load_network, write_network
from repflow_mm.markdown import markdown_table
from repflow_mm.models import RepresentationFlow
from repflow_mm.testing.timing import seconds_of, summary

ITERATIONS = (5, 10, 20)
SHAPE = (1, 32, 16, 28, 28)
WAYS = {'Loop': False, 'unrolled': True}


def measure_export(iterations: Sequence[int], repeats: int, shape: Sequence[int] = SHAPE) -> list[dict]:
    """Measure a flow layer, on the CPU, for each number of iterations.

    Args:
        iterations (Sequence[int]): Numbers of iterations.
        repeats (int): Measurements of each time.
        shape (Sequence[int]): The layer's input, (N, C, T, H, W). Defaults to ``SHAPE``.

    Returns:
        list[dict]: For each number and way ``iterations``, ``way``, ``nodes``, ``bytes``, ``export_seconds``,
        ``difference`` (the largest from the fused operator), and ``seconds`` in ONNX Runtime and ``kernel_seconds`` of
        the fused operator: min, median, max.
    """
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 255
    return [row for number in iterations for row in _rows_of(x, number, repeats)]


def _rows_of(x: torch.Tensor, number: int, repeats: int) -> list[dict]:
    layer = RepresentationFlow(x.shape[1], num_iters=number).eval()
    rows, calls = [], {'kernel': lambda: layer(x)}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        expected = layer(x)
        for way, unrolled in WAYS.items():
            path, start = Path(folder, f'{way}.onnx'), time.perf_counter()
            write_network(layer, x, path, 'onnx', dynamic_batch=False, unrolled=unrolled)
            row = dict(iterations=number, way=way, export_seconds=time.perf_counter() - start)
            run = load_network(path, 'onnx')
            calls[way] = lambda run=run: run(x)
            difference = float((run(x) - expected).abs().max())
            rows.append(row | dict(nodes=count_nodes(path), bytes=path.stat().st_size, difference=difference))
        layer.backend = 'auto'
        seconds = {name: summary(times) for name, times in seconds_of(calls, repeats).items()}
    return [row | dict(seconds=seconds[row['way']], kernel_seconds=seconds['kernel']) for row in rows]


def export_table(rows: Sequence[dict]) -> str:
    """The rows as a Markdown table; times are the shortest."""
    header = ('iterations', 'in ONNX', 'nodes', 'file, kB', 'export, s', 'ONNX Runtime, ms', 'C kernel, ms')
    lines = []
    for row in rows:
        times = [f'{1e3 * row[key]["min"]:.2f}' for key in ('seconds', 'kernel_seconds')]
        size, export = f'{row["bytes"] / 1e3:.1f}', f'{row["export_seconds"]:.1f}'
        lines.append((row['iterations'], row['way'], row['nodes'], size, export, *times))
    return markdown_table(header, lines)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--iterations', type=int, nargs='+', default=list(ITERATIONS), help='default: 5 10 20')


def _run(args: argparse.Namespace) -> tuple[dict, str]:
    rows = measure_export(args.iterations, args.repeats)
    shape = '×'.join(map(str, SHAPE))
    return dict(shape=SHAPE, rows=rows), f'a flow layer on {shape} features, CPU\n\n{export_table(rows)}'


PARTS = {'export': Part('the flow layer in ONNX: a Loop or unrolled, beside the C kernel', _add_arguments, _run)}

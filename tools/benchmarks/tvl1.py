"""Comparison of TV-L1 flow with OpenCV's: pairs per second and end-point error, measured in one run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.parts import Part, positive
from repflow_mm.markdown import markdown_table
from repflow_mm.ops import tvl1_flow
from repflow_mm.ops.tvl1 import BACKENDS
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.testing.opencv_tvl1 import opencv_flow
from repflow_mm.testing.timing import seconds_of, summary
from repflow_mm.testing.true_flow import end_point_errors, read_pair
from repflow_mm.testing.warps import WARPS, draw_batch, mean_by_warp

OPENCV = 'OpenCV DualTVL1'
SIZES = (112, 224)
AGREEMENT = 1e-8


def tvl1_backend(device: str = 'cpu') -> str:
    """The backend that :func:`repflow_mm.ops.tvl1_flow` takes on a device."""
    probe = torch.empty(1, device=device)
    return next(name for name, backend in BACKENDS.items() if not backend.unsupported_reasons(probe))


def check_tvl1(backend: str, device: str = 'cpu') -> None:
    """Raise ValueError if a backend's float64 flow is not the reference's on the CPU.

    With two levels and two warps: over more of them the flow of hidden pixels amplifies rounding.
    """
    few = dict(num_scales=2, num_warps=2)
    prev, following, _ = (tensor.double() for tensor in draw_batch(40, len(WARPS)))
    found = tvl1_flow(prev.to(device), following.to(device), **few, backend=backend).cpu()
    distance = (found - tvl1_flow(prev, following, **few, backend='reference')).abs().max().item()
    if not distance <= AGREEMENT:
        raise ValueError(f'{backend} is not timed: its flow is off by {distance:.3g} px (allowed: {AGREEMENT:.3g})')


def measure_tvl1(
    prev: Tensor, next: Tensor, truth: Tensor, repeats: int, backend: str = 'cpu', device: str = 'cpu'
) -> list[dict]:
    """Time OpenCV and a backend in turn on the same uint8 pairs, with the same parameters.

    Args:
        prev (Tensor): First images (N, 1, H, W), uint8.
        next (Tensor): Second images, of the same shape.
        truth (Tensor): The true flow, (N, 2, H, W), in pixels.
        repeats (int): Measurements of each.
        backend (str): Backend of :func:`repflow_mm.ops.tvl1_flow`. Defaults to ``'cpu'``.
        device (str): Where it runs; OpenCV runs on the CPU. Defaults to ``'cpu'``.

    Returns:
        list[dict]: For either its name, the sizes, ``seconds`` of the batch (min, median, max), ``pairs_per_second``
        by the shortest time, and ``end_point_errors`` in pixels, one for each pair.
    """
    on_device = prev.to(device), next.to(device)
    flows = {
        OPENCV: lambda: opencv_flow(prev, next),
        f'tvl1_flow, {backend} on {device}': lambda: tvl1_flow(*on_device, backend=backend),
    }
    seconds = seconds_of(flows, repeats, device)
    pairs, _, height, width = prev.shape
    return [
        dict(
            name=name,
            pairs=pairs,
            height=height,
            width=width,
            parameters=asdict(TVL1Parameters()),
            seconds=summary(seconds[name]),
            pairs_per_second=pairs / min(seconds[name]),
            end_point_errors=end_point_errors(flow().cpu(), truth).tolist(),
        )
        for name, flow in flows.items()
    ]


def tvl1_table(results: Sequence[dict]) -> str:
    """Pairs per second and the mean end-point error; results come in twos, OpenCV's first."""
    header = ('pairs', 'solver', 'pairs per second', 'faster', 'end-point error, px')
    rows = []
    for opencv, ours in zip(results[::2], results[1::2]):
        for row in (opencv, ours):
            rate, error = row['pairs_per_second'], sum(row['end_point_errors']) / row['pairs']
            size = f'{row["pairs"]} of {row["width"]}×{row["height"]}'
            faster = f'{rate / opencv["pairs_per_second"]:.1f}×'
            rows.append((size, row['name'], f'{rate:.3g}', faster, f'{error:.4f}'))
    return markdown_table(header, rows)


def warps_table(results: Sequence[dict]) -> str:
    """The mean end-point error of every synthetic warp."""
    rows = []
    for row in results:
        means = mean_by_warp(row['end_point_errors']).values()
        rows.append((f'{row["width"]}×{row["height"]}', row['name'], *(f'{mean:.4f}' for mean in means)))
    return markdown_table(('size', 'solver', *WARPS), rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--pairs', type=positive, default=10, help='synthetic image pairs of each size (default: 10)')
    parser.add_argument(
        '--real-pair', nargs=3, type=Path, metavar=('FIRST', 'SECOND', 'FLOW'), help='two images and their .flo file'
    )


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Compare on the synthetic warps and, where it is given, on a real pair."""
    backend = tvl1_backend(args.device)
    check_tvl1(backend, args.device)
    synthetic = [
        row for size in SIZES for row in measure_tvl1(*draw_batch(size, args.pairs), args.repeats, backend, args.device)
    ]
    text = f'Synthetic warps:\n\n{tvl1_table(synthetic)}\n\nTheir end-point errors, px:\n\n{warps_table(synthetic)}'
    if not args.real_pair:
        return synthetic, text
    real = measure_tvl1(*read_pair(*args.real_pair), args.repeats, backend, args.device)
    return synthetic + real, f'{text}\n\n{args.real_pair[0]}:\n\n{tvl1_table(real)}'


PARTS = {'tvl1': Part("TV-L1 flow beside OpenCV's: speed and end-point error", add_arguments, run)}

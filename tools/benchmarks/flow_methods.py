"""The methods of classical flow side by side: end-point error and speed, and the table of them in the docs."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from benchmarks.parts import Part, positive
from repflow_mm.classical_flow import METHODS
from repflow_mm.hardware import hardware
from repflow_mm.markdown import markdown_table, write_sections
from repflow_mm.testing.parity import threads
from repflow_mm.testing.timing import summary
from repflow_mm.testing.true_flow import end_point_errors, read_pair
from repflow_mm.testing.warps import WARPS, draw_batch, mean_by_warp

SIZES = (112, 224)
SECTION = 'flow_methods'
# Kay et al., "The Kinetics Human Action Video Dataset", arXiv:1705.06950: so many clips in 400 classes, of around 10 s.
KINETICS_VIDEOS, KINETICS_SECONDS = 306_245, 10
FRAMES_PER_SECOND = 25
CLIP_PAIRS = 31
CORES = 64


def measure_method(name: str, prev: Tensor, next: Tensor, truth: Tensor, repeats: int) -> dict:
    """Error and speed of a method with its default parameters, on one thread.

    Time is the processor's, which other programs on the machine do not count in.

    Args:
        name (str): The method.
        prev (Tensor): First images (N, 1, H, W), uint8.
        next (Tensor): Second images, of the same shape.
        truth (Tensor): The true flow, (N, 2, H, W), in pixels.
        repeats (int): Measurements, of which the shortest counts.

    Returns:
        dict: ``name``, ``parameters``, the sizes, ``seconds`` of all pairs in one batch and ``single_seconds`` of the
        same pairs one by one (min, median, max), and ``end_point_errors`` in pixels, one for each pair.
    """
    method = METHODS[name]
    pairs, _, height, width = prev.shape
    with threads(1):
        errors = end_point_errors(method.compute(prev, next), truth).tolist()
        batch = _processor_seconds(lambda: method.compute(prev, next), repeats)
        single = _processor_seconds(
            lambda: [method.compute(*pair) for pair in zip(prev.split(1), next.split(1))], repeats
        )
    return dict(
        name=name,
        parameters=asdict(method.parameters()),
        pairs=pairs,
        height=height,
        width=width,
        seconds=summary(batch),
        single_seconds=summary(single),
        end_point_errors=errors,
    )


def _processor_seconds(call: Callable[[], object], repeats: int) -> list[float]:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return seconds


def methods_table(results: Sequence[dict]) -> str:
    """A line a method: its mean error at every size, and pairs a second and core, in a batch and single."""
    sizes = list(dict.fromkeys((row['width'], row['height']) for row in results))
    titles = [f'{width}×{height}' for width, height in sizes]
    header = ['method', *(f'error {title}, px' for title in titles)]
    header += [f'pairs/s {title}, {how}' for title in titles for how in ('batch', 'single')]
    rows = []
    for name in dict.fromkeys(row['name'] for row in results):
        own = [row for row in results if row['name'] == name]
        errors = [f'{sum(row["end_point_errors"]) / row["pairs"]:.4f}' for row in own]
        rates = [_figure(row['pairs'] / row[kind]['min']) for row in own for kind in ('seconds', 'single_seconds')]
        rows.append([f'`{name}`', *errors, *rates])
    return markdown_table(header, rows)


def _figure(value: float) -> str:
    """Three digits, without an exponent."""
    return f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def warps_table(results: Sequence[dict]) -> str:
    """The mean error of every synthetic warp."""
    rows = []
    for row in results:
        means = mean_by_warp(row['end_point_errors']).values()
        rows.append([f'{row["width"]}×{row["height"]}', f'`{row["name"]}`', *(f'{mean:.4f}' for mean in means)])
    return markdown_table(('size', 'method', *WARPS), rows)


def kinetics_table(results: Sequence[dict]) -> str:
    """What the speeds mean for Kinetics-400 on a machine of many cores: arithmetic, not measured."""
    pairs = KINETICS_VIDEOS * (KINETICS_SECONDS * FRAMES_PER_SECOND - 1)
    rows = []
    for row in results:
        hours = row['seconds']['min'] / row['pairs'] / CORES / 3600
        cells = (hours * pairs, hours * KINETICS_VIDEOS * CLIP_PAIRS)
        rows.append([f'{row["width"]}×{row["height"]}', f'`{row["name"]}`', *(f'{_figure(cell)} h' for cell in cells)])
    return markdown_table(('frames', 'method', 'every pair once', f'an epoch of {CLIP_PAIRS + 1} frames a video'), rows)


def report(results: Sequence[dict], processor: str) -> str:
    """All tables, with what they show."""
    synthetic = [row for row in results if (row['width'], row['height']) in {(size, size) for size in SIZES}]
    pairs = synthetic[0]['pairs']
    return '\n\n'.join(
        [
            f'One thread of {processor}, default parameters, 8-bit grey images; mean end-point error, and pairs per '
            f'second of processor time (the shortest of several times). Square sizes: {pairs} synthetic pairs; others: '
            'one real pair.',
            methods_table(results),
            'Errors on the kinds of synthetic pairs, in pixels:',
            warps_table(synthetic),
            f'What {CORES} such cores would take for the flow of Kinetics-400, in batches. This is arithmetic, not a '
            f'measurement: {KINETICS_VIDEOS:,} videos of {KINETICS_SECONDS} s (Kay et al., arXiv:1705.06950), '
            f'{FRAMES_PER_SECOND} frames a second assumed, without decoding:',
            kinetics_table(synthetic),
        ]
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--pairs', type=positive, default=20, help='synthetic image pairs of each size (default: 20)')
    parser.add_argument(
        '--real-pair', nargs=3, type=Path, metavar=('FIRST', 'SECOND', 'FLOW'), help='two images and their .flo file'
    )
    parser.add_argument('--write-docs', type=Path, metavar='FILE', help='Markdown file to put the tables into')


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Compare on the synthetic warps and, where it is given, on a real pair; write the docs where asked to."""
    given = [draw_batch(size, args.pairs) for size in SIZES]
    given += [read_pair(*args.real_pair)] if args.real_pair else []
    results = [measure_method(name, *pairs, args.repeats) for pairs in given for name in METHODS]
    text = report(results, hardware('cpu')['cpu'])
    if args.write_docs:
        write_sections(args.write_docs, {SECTION: text.splitlines()})
    return results, text


PARTS = {'flow_methods': Part('the methods of classical flow: end-point error and speed', add_arguments, run)}

"""Comparison of TV-L1 flow with OpenCV's: pairs per second and end-point error, measured in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from repflow_mm.benchmarks.warps import WARPS, draw_batch
from repflow_mm.ops import tvl1_flow
from repflow_mm.ops.tvl1 import BACKENDS
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.testing.timing import seconds_of, summary

OPENCV = 'OpenCV DualTVL1'
SIZES = (112, 224)
# Middlebury's mark of an unknown flow.
UNKNOWN_FLOW = 1e8
FLO_MAGIC = 202021.25
AGREEMENT = 1e-8


def opencv_flow(prev: Tensor, next: Tensor, parameters: TVL1Parameters | None = None) -> Tensor:
    """OpenCV's TV-L1 flow of a batch, a pair after the other, on as many threads as torch's.

    Args:
        prev (Tensor): First images (N, 1, H, W), uint8.
        next (Tensor): Second images, of the same shape.
        parameters (TVL1Parameters, optional): The method's parameters. Defaults to the common defaults.

    Returns:
        Tensor: u, (N, 2, H, W), float32, in pixels.

    Raises:
        ImportError: If there is no OpenCV with its optflow module.
    """
    solver = _opencv_solver(parameters or TVL1Parameters())
    flows = [solver.calc(first[0].numpy(), second[0].numpy(), None) for first, second in zip(prev, next)]
    return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2)  # (N, H, W, 2) -> (N, 2, H, W)


def _opencv_solver(parameters: TVL1Parameters):
    try:
        import cv2

        create = cv2.optflow.DualTVL1OpticalFlow_create
    except (ImportError, AttributeError) as error:
        raise ImportError(f'the comparison needs cv2.optflow, of opencv-contrib-python: {error}') from error
    cv2.setNumThreads(torch.get_num_threads())
    return create(
        tau=parameters.tau,
        lambda_=parameters.lam,
        theta=parameters.theta,
        nscales=parameters.num_scales,
        warps=parameters.num_warps,
        epsilon=parameters.epsilon,
        innnerIterations=parameters.inner_iters,
        outerIterations=parameters.outer_iters,
        scaleStep=parameters.scale_factor,
        medianFiltering=parameters.median_filter,
    )


def end_point_errors(u: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of flows (N, 2, H, W) in pixels, over the pixels whose true flow is known: (N,), float64."""
    known = (truth.abs() < UNKNOWN_FLOW).all(dim=1)  # (N, H, W)
    distance = (u.double() - truth.double()).pow(2).sum(dim=1).sqrt()
    return torch.where(known, distance, 0).sum(dim=(1, 2)) / known.sum(dim=(1, 2))


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
    lines = [
        '| pairs | solver | pairs per second | faster | end-point error, px |',
        '|---|---|---|---|---|',
    ]
    for opencv, ours in zip(results[::2], results[1::2]):
        for row in (opencv, ours):
            rate, error = row['pairs_per_second'], sum(row['end_point_errors']) / row['pairs']
            size = f'{row["pairs"]} of {row["width"]}×{row["height"]}'
            faster = f'{rate / opencv["pairs_per_second"]:.1f}×'
            lines.append(f'| {size} | {row["name"]} | {rate:.3g} | {faster} | {error:.4f} |')
    return '\n'.join(lines)


def warps_table(results: Sequence[dict]) -> str:
    """The mean end-point error of every synthetic warp, pairs as :func:`draw_batch` orders them."""
    names = list(WARPS)
    lines = ['| size | solver | ' + ' | '.join(names) + ' |', '|---|---|' + '---|' * len(names)]
    for row in results:
        means = [torch.tensor(row['end_point_errors'][i :: len(names)]).mean().item() for i in range(len(names))]
        cells = [f'{row["width"]}×{row["height"]}', row['name'], *(f'{mean:.4f}' for mean in means)]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def read_pair(first: Path, second: Path, flow: Path) -> tuple[Tensor, Tensor, Tensor]:
    """A real pair with its true flow: two image files, read as grey, and a Middlebury ``.flo`` file.

    Returns:
        tuple[Tensor, Tensor, Tensor]: (1, 1, H, W) uint8 twice, and (1, 2, H, W) float32.

    Raises:
        FileNotFoundError: If a file cannot be read as an image.
        ValueError: If the flow is no ``.flo`` file, or of another size than the images.
    """
    import cv2

    images = []
    for path in (first, second):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise FileNotFoundError(f'{path} cannot be read as an image')
        images.append(torch.from_numpy(image)[None, None])
    truth = read_flo(flow)
    for path, image in zip((first, second), images):
        if image.shape[2:] != truth.shape[2:]:
            raise ValueError(f'{path} has H, W = {tuple(image.shape[2:])}, {flow} has {tuple(truth.shape[2:])}')
    return *images, truth


def read_flo(path: Path) -> Tensor:
    """The flow in a Middlebury ``.flo`` file, (1, 2, H, W), float32; what is unknown is 1e9 or more."""
    content = Path(path).read_bytes()
    if len(content) < 12 or np.frombuffer(content, '<f4', 1)[0] != FLO_MAGIC:
        raise ValueError(f'{path} is no .flo file: it does not begin with {FLO_MAGIC}')
    width, height = np.frombuffer(content, '<i4', 2, offset=4).tolist()
    if len(content) != 12 + 8 * width * height:
        raise ValueError(
            f'{path} has {len(content)} bytes, a .flo file of {width}×{height} has {12 + 8 * width * height}'
        )
    values = torch.from_numpy(np.frombuffer(content, '<f4', 2 * width * height, offset=12).copy())
    return values.reshape(1, height, width, 2).permute(0, 3, 1, 2)  # (1, H, W, 2) -> (1, 2, H, W)

"""Image pairs whose flow is known, from files, and the error of a flow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Middlebury's mark of an unknown flow.
UNKNOWN_FLOW = 1e8
FLO_MAGIC = 202021.25


def end_point_errors(u: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of flows (N, 2, H, W) in pixels, over the pixels whose true flow is known: (N,), float64."""
    known = (truth.abs() < UNKNOWN_FLOW).all(dim=1)  # (N, H, W)
    distance = (u.double() - truth.double()).pow(2).sum(dim=1).sqrt()
    return torch.where(known, distance, 0).sum(dim=(1, 2)) / known.sum(dim=(1, 2))


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

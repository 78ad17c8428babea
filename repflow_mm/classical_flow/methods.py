"""The methods of classical optical flow by name. Another one is a class of parameters and a function here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np
import torch
from torch import Tensor

from repflow_mm.ops import brox_flow, tvl1_flow
from repflow_mm.ops.arguments import check_count, check_finite, check_fraction, check_positive
from repflow_mm.ops.brox_parameters import BroxParameters
from repflow_mm.ops.image_pairs import check_images, grey
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

DIS_PRESETS = {
    'ultrafast': cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
    'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# OpenCV refuses some smaller images, whichever their longer side.
DIS_SHORTEST_SIDE = 12
FARNEBACK_NEIGHBOURS = (5, 7)


@dataclass(frozen=True)
class FarnebackParameters:
    """Parameters of OpenCV's ``FarnebackOpticalFlow``, with its defaults.

    Source: Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003.

    Args:
        num_levels (int): Levels of the pyramid. Defaults to 5.
        scale_factor (float): Size of a level relative to the next finer one. Defaults to 0.5.
        window (int): Side of the window that motion is averaged over, in pixels. Defaults to 13.
        num_iters (int): Iterations at each level. Defaults to 10.
        neighbours (int): Side of the neighbourhood of the polynomials, 5 or 7. Defaults to 5.
        sigma (float): Standard deviation of the Gaussian that weighs it. Defaults to 1.1.

    Raises:
        TypeError: If a value is no number, or a count no integer.
        ValueError: If a value is out of range.
    """

    num_levels: int = 5
    scale_factor: float = 0.5
    window: int = 13
    num_iters: int = 10
    neighbours: int = 5
    sigma: float = 1.1

    def __post_init__(self):
        for name in ('num_levels', 'window', 'num_iters', 'neighbours'):
            check_count(name, getattr(self, name))
        for name in ('scale_factor', 'sigma'):
            check_finite(name, getattr(self, name))
        check_fraction('scale_factor', self.scale_factor)
        if self.neighbours not in FARNEBACK_NEIGHBOURS:
            raise ValueError(f'neighbours must be one of {FARNEBACK_NEIGHBOURS}, got {self.neighbours}')
        check_positive('sigma', self.sigma)


@dataclass(frozen=True)
class DISParameters:
    """Parameters of OpenCV's ``DISOpticalFlow``.

    Source: Kroeger, Timofte, Dai & Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.

    Args:
        preset (str): ``'ultrafast'``, ``'fast'`` or ``'medium'``: OpenCV's sets of all others. Defaults to ``'fast'``,
            as there.

    Raises:
        ValueError: If there is no such preset.
    """

    preset: str = 'fast'

    def __post_init__(self):
        if self.preset not in DIS_PRESETS:
            raise ValueError(f'preset must be one of {tuple(DIS_PRESETS)}, got {self.preset!r}')


@dataclass(frozen=True)
class FlowMethod:
    """A method of classical flow.

    Args:
        parameters (type): Class of its parameters, whose defaults are the method's.
        solve (Callable): ``solve(prev, next, parameters)`` is the flow u (N, 2, H, W) in pixels, x first, from images
            (N, 1 or 3, H, W) to those that follow them, uint8 or floating point in [0, 255].
        shortest_side (int): Pixels that the images have at least. Defaults to 2.
    """

    parameters: type
    solve: Callable[[Tensor, Tensor, object], Tensor]
    shortest_side: int = 2

    def compute(self, prev: Tensor, next: Tensor, parameters: object | None = None) -> Tensor:
        """Flow from images to those that follow them.

        Args:
            prev (Tensor): First images (N, 1 or 3, H, W), grey or red, green and blue; uint8 or floating point in
                [0, 255], finite.
            next (Tensor): Second images, of the same shape, dtype and device.
            parameters (object, optional): The method's parameters. Defaults to their defaults.

        Returns:
            Tensor: u, (N, 2, H, W), at least float32, on the images' device: x and y in pixels, y down.

        Raises:
            TypeError: If an image is no uint8 or floating-point tensor.
            ValueError: If the images do not match, or are too small for the method.
        """
        check_images(prev, next)
        if min(prev.shape[2:]) < self.shortest_side:
            raise ValueError(f'images must have H, W >= {self.shortest_side}, got {tuple(prev.shape[2:])}')
        return self.solve(prev, next, parameters or self.parameters())


def method_named(name: str) -> FlowMethod:
    """The method of that name.

    Raises:
        ValueError: If there is none.
    """
    if name not in METHODS:
        raise ValueError(f'method must be one of {tuple(METHODS)}, got {name!r}')
    return METHODS[name]


def make_parameters(name: str, values: Mapping[str, object] | None = None) -> object:
    """The parameters of a method, those given in place of its defaults.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If there is no such method or parameter, or a value is out of range.
    """
    parameters, values = method_named(name).parameters, dict(values or {})
    allowed = tuple(field.name for field in fields(parameters))
    unknown = [key for key in values if key not in allowed]
    if unknown:
        raise ValueError(f'parameters of {name!r} must have keys from {allowed}, got {unknown[0]!r}')
    return parameters(**values)


def _tvl1(prev: Tensor, next: Tensor, parameters: TVL1Parameters) -> Tensor:
    return tvl1_flow(prev, next, **asdict(parameters))


def _brox(prev: Tensor, next: Tensor, parameters: BroxParameters) -> Tensor:
    return brox_flow(prev, next, **asdict(parameters))


def _farneback(prev: Tensor, next: Tensor, parameters: FarnebackParameters) -> Tensor:
    solver = cv2.FarnebackOpticalFlow_create(
        numLevels=parameters.num_levels,
        pyrScale=parameters.scale_factor,
        winSize=parameters.window,
        numIters=parameters.num_iters,
        polyN=parameters.neighbours,
        polySigma=parameters.sigma,
    )
    return _solve_with_opencv(solver, prev, next)


def _dis(prev: Tensor, next: Tensor, parameters: DISParameters) -> Tensor:
    return _solve_with_opencv(cv2.DISOpticalFlow_create(DIS_PRESETS[parameters.preset]), prev, next)


def _solve_with_opencv(solver: cv2.DenseOpticalFlow, prev: Tensor, next: Tensor) -> Tensor:
    """A pair after the other, on the CPU, of grey values rounded to 8 bits, with as many threads as torch has."""
    cv2.setNumThreads(torch.get_num_threads())
    images = (grey(image).round().to(torch.uint8)[:, 0].cpu().numpy() for image in (prev, next))  # (N, H, W) each
    # Without a flow to start from: OpenCV would take the last pair's.
    flows = [solver.calc(*pair, None) for pair in zip(*images)]
    u = np.stack(flows) if flows else np.zeros((0, *prev.shape[2:], 2), np.float32)
    return torch.from_numpy(u).permute(0, 3, 1, 2).contiguous().to(prev.device)  # (N, H, W, 2) -> (N, 2, H, W)


METHODS = {
    'tvl1': FlowMethod(TVL1Parameters, _tvl1),
    'brox': FlowMethod(BroxParameters, _brox),
    'farneback': FlowMethod(FarnebackParameters, _farneback),
    'dis': FlowMethod(DISParameters, _dis, shortest_side=DIS_SHORTEST_SIDE),
}

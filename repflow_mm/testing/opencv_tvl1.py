"""OpenCV's TV-L1 flow, which tests and benchmarks compare with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from repflow_mm.ops.tvl1_parameters import TVL1Parameters


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

"""The representation flow layer: the solver with learned terms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from repflow_mm.ops import rep_flow
from repflow_mm.ops.arguments import MOST_ITERATIONS, check_count, check_number
from repflow_mm.ops.stencils import default_image_kernel, default_taps

LEARNABLE = ('theta', 'lam', 'tau', 'div', 'image_gradient')
SMALLEST, LARGEST = 1e-4, 1e4
# Memory for the taps of more would overflow before it is asked for.
MOST_CHANNELS = 2**20


@MODELS.register_module()
class RepresentationFlow(nn.Module):
    """Representation flow layer (Piergiovanni & Ryoo, CVPR 2019, Section 3).

    Solves TV-L1 flow between neighbouring frames of a feature map, every channel on its own, with terms that are
    learned. What is not learned is a buffer of the same name, so checkpoints do not depend on ``learn``.

    theta, lam and tau stay positive however large a training step is: the layer computes with the stored
    ``raw_theta``, ``raw_lam`` and ``raw_tau`` clamped to [1e-4, 1e4], and hands the gradient on to the raw value
    unchanged, so that training is that of the plain parameter as long as it is in this range, where no gradient
    overflows, and a raw value that a step threw out of it can come back.

    Args:
        channels (int): Number of channels C of the input, up to 2**20.
        num_iters (int): Iterations of the solver, from 0 to 10,000. Defaults to 20.
        learn (Sequence[str]): Which terms are learned: any of ``'theta'``, ``'lam'``, ``'tau'``, ``'div'`` (the
            taps of the flow gradient and of the divergence, "divergence" in the paper's tables) and
            ``'image_gradient'`` (its taps, "Sobel kernels" in the paper's tables).
            Defaults to ``('theta', 'lam', 'tau', 'div')``, the paper's best.
        image_gradient (str): ``'central'`` (the released layer) or ``'sobel'`` (the paper's text).
            Defaults to ``'central'``.
        theta (float): Start value. Defaults to 0.3.
        lam (float): Start value. Defaults to 0.15.
        tau (float): Start value. Defaults to 0.25.
        backend (str): Backend of :func:`repflow_mm.ops.rep_flow`. Defaults to ``'auto'``.

    Shape:
        - Input: (N, C, T, H, W); the start values belong to features in [0, 255], see
          :func:`repflow_mm.ops.normalize_flow_input`.
        - Output: (N, 2C, T-1, H, W), the C x-components, then the C y-components, in feature-grid pixels per frame
          step.

    Raises:
        ValueError: If an argument is not allowed.

    Example:
        >>> layer = RepresentationFlow(8, num_iters=10)
        >>> layer(torch.rand(2, 8, 4, 14, 14) * 255).shape
        torch.Size([2, 16, 3, 14, 14])
    """

    def __init__(
        self,
        channels: int,
        num_iters: int = 20,
        learn: Sequence[str] = ('theta', 'lam', 'tau', 'div'),
        image_gradient: str = 'central',
        theta: float = 0.3,
        lam: float = 0.15,
        tau: float = 0.25,
        backend: str = 'auto',
    ) -> None:
        super().__init__()
        learn = _checked_learn(learn)
        check_count('channels', channels, largest=MOST_CHANNELS)
        check_count('num_iters', num_iters, smallest=0, largest=MOST_ITERATIONS)
        self.channels, self.num_iters, self.learn, self.backend = channels, num_iters, learn, backend
        for name, start in (('theta', theta), ('lam', lam), ('tau', tau)):
            check_number(name, start)
            if not SMALLEST <= start <= LARGEST:
                raise ValueError(f'{name} must start between {SMALLEST} and {LARGEST}, got {start}')
            self._add_term(f'raw_{name}', torch.tensor(float(start)), learned=name in learn)
        kernel = default_image_kernel(channels, image_gradient)
        self._add_term('image_kernel', kernel, learned='image_gradient' in learn)
        self._add_term('flow_kernel', default_taps(channels), learned='div' in learn)
        self._add_term('div_kernel', default_taps(channels), learned='div' in learn)

    def _add_term(self, name: str, start: Tensor, learned: bool) -> None:
        if learned:
            self.register_parameter(name, nn.Parameter(start))
        else:
            self.register_buffer(name, start)

    @property
    def theta(self) -> Tensor:
        """Tightness of the coupling, (), positive."""
        return _bounded(self.raw_theta)

    @property
    def lam(self) -> Tensor:
        """Weight of the data term, (), positive."""
        return _bounded(self.raw_lam)

    @property
    def tau(self) -> Tensor:
        """Step of the dual ascent, (), positive."""
        return _bounded(self.raw_tau)

    def forward(self, x: Tensor) -> Tensor:
        """Flow of every pair of neighbouring frames: (N, C, T, H, W) -> (N, 2C, T-1, H, W)."""
        terms = (self.theta, self.lam, self.tau, self.image_kernel, self.flow_kernel, self.div_kernel)
        return rep_flow(x, *terms, num_iters=self.num_iters, backend=self.backend)

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        return f'{self.channels}, num_iters={self.num_iters}, learn={self.learn}, backend={self.backend!r}'


def _checked_learn(learn: Sequence[str]) -> tuple[str, ...]:
    """``learn`` as a tuple; raises ValueError if it is a lone string or names something unknown."""
    unknown = [learn] if isinstance(learn, str) else [name for name in learn if name not in LEARNABLE]
    if unknown:
        raise ValueError(f'learn must be a sequence of names from {LEARNABLE}, got {learn!r}')
    return tuple(learn)


def _bounded(raw: Tensor) -> Tensor:
    """``raw`` clamped to what the solver computes with, whose gradient is handed to ``raw`` as it is."""
    return raw.detach().clamp(SMALLEST, LARGEST) + (raw - raw.detach())

"""How a network's features lie, and how they become clips (N, C, T, H, W) and what they were again.

A layout turns the features of one place into clips by ``to_clips(x, shape)`` and clips into such features by
``from_clips(clips, x, shape)``, where ``x`` are the features that the clips were made of and ``shape`` is the
:class:`ClipShape` of the forward pass that is under way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import permutations

import torch
from torch import Tensor

from repflow_mm.models.layers.folding import fold_time

ORDERS = ('thw', 'hwt', 'hw')
SUPPORTED = (
    'frames (N*T, C, H, W), clips (N, C, T, H, W), either with its channels last, and tokens (N, [cls +] T*H*W, C), '
    '(N*T, [cls +] H*W, C) or ([cls +] H*W, N*T, C)'
)


@dataclass
class ClipShape:
    """What a layout must know of a forward pass beside the features.

    Attributes:
        num_clips: N, the clips of the batch.
        is_folded: Whether the network's input is frames (N*T, C, H, W), not clips (N, C, T, H, W).
        grids: By the name of a convolution, T, H and W of the map that it has put out, whose positions are tokens.
    """

    num_clips: int = 0
    is_folded: bool = False
    grids: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def unfolded(self, batch: Tensor) -> Tensor:
        """Features of frames by clips, without a copy: (N*T, ...) -> (N, T, ...).

        Raises:
            RuntimeError: If no forward pass of the network is under way, so that N is not known.
        """
        if not self.num_clips:
            raise RuntimeError('a module with a flow block can be called in a forward pass of its network only')
        return batch.unflatten(0, (self.num_clips, -1))


@dataclass(frozen=True)
class Clips:
    """Clips (N, C, T, H, W), or (N, T, H, W, C) with ``channels_last``."""

    channels_last: bool = False

    def num_channels(self, x: Tensor) -> int:
        """C of features that lie so."""
        return x.shape[-1 if self.channels_last else 1]

    def to_clips(self, x: Tensor, shape: ClipShape) -> Tensor:
        """The features as (N, C, T, H, W)."""
        return x.movedim(-1, 1) if self.channels_last else x

    def from_clips(self, clips: Tensor, x: Tensor, shape: ClipShape) -> Tensor:
        """The inverse of :meth:`to_clips`."""
        return _stored_like(x, clips.movedim(1, -1) if self.channels_last else clips)


@dataclass(frozen=True)
class Frames:
    """Frames (N*T, C, H, W), or (N*T, H, W, C) with ``channels_last``."""

    channels_last: bool = False

    def num_channels(self, x: Tensor) -> int:
        """C of features that lie so."""
        return x.shape[-1 if self.channels_last else 1]

    def to_clips(self, x: Tensor, shape: ClipShape) -> Tensor:
        """The features as (N, C, T, H, W)."""
        frames = x.movedim(-1, 1) if self.channels_last else x  # (N*T, C, H, W)
        return shape.unfolded(frames).transpose(1, 2)  # (N, T, C, H, W) -> (N, C, T, H, W)

    def from_clips(self, clips: Tensor, x: Tensor, shape: ClipShape) -> Tensor:
        """The inverse of :meth:`to_clips`."""
        frames = fold_time(clips)  # (N*T, C, H, W)
        return _stored_like(x, frames.movedim(1, -1) if self.channels_last else frames)


@dataclass(frozen=True)
class NetworkInput:
    """What a network takes: clips (N, C, T, H, W), or frames (N*T, C, H, W)."""

    def num_channels(self, x: Tensor) -> int:
        """C of such an input."""
        return x.shape[1]

    def to_clips(self, x: Tensor, shape: ClipShape) -> Tensor:
        """The input as (N, C, T, H, W)."""
        return Frames().to_clips(x, shape) if shape.is_folded else x

    def from_clips(self, clips: Tensor, x: Tensor, shape: ClipShape) -> Tensor:
        """The inverse of :meth:`to_clips`."""
        return _stored_like(x, fold_time(clips) if shape.is_folded else clips)


@dataclass(frozen=True)
class Tokens:
    """Tokens of a transformer, class tokens and the like before them, which flow leaves alone.

    Attributes:
        order: How the positions follow each other: ``'thw'`` and ``'hwt'`` with the last letter fastest, (N, L, C);
            ``'hw'`` with time in the batch, (N*T, L, C).
        length_first: Whether the tensor is (L, N, C) or (L, N*T, C).
        grid: Name of the convolution whose map's positions are the tokens.
    """

    order: str
    grid: str
    length_first: bool = False

    def num_channels(self, x: Tensor) -> int:
        """C of features that lie so."""
        return x.shape[-1]

    def to_clips(self, x: Tensor, shape: ClipShape) -> Tensor:
        """The tokens that are positions, as (N, C, T, H, W)."""
        return _positions_to_clips(self._batch_first(x), self.order, shape.grids[self.grid], shape)

    def from_clips(self, clips: Tensor, x: Tensor, shape: ClipShape) -> Tensor:
        """The inverse of :meth:`to_clips`, with the class tokens of ``x``."""
        return self._batch_first(_clips_to_positions(clips, self.order, self._batch_first(x)))

    def _batch_first(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1) if self.length_first else x


@dataclass(frozen=True)
class TokensAndGrid:
    """A tuple of tokens (N, [cls +] T*H*W, C) and of their T, H and W, as transformers have it that pool tokens."""

    def num_channels(self, x: tuple) -> int:
        """C of features that lie so."""
        return x[0].shape[-1]

    def to_clips(self, x: tuple, shape: ClipShape) -> Tensor:
        """The tokens that are positions, as (N, C, T, H, W)."""
        tokens, grid = x
        return _positions_to_clips(tokens, 'thw', tuple(grid), shape)

    def from_clips(self, clips: Tensor, x: tuple, shape: ClipShape) -> tuple:
        """The inverse of :meth:`to_clips`, with the class tokens of ``x``."""
        tokens, grid = x
        return _clips_to_positions(clips, 'thw', tokens), grid


Layout = Clips | Frames | NetworkInput | Tokens | TokensAndGrid


def _positions_to_clips(tokens: Tensor, order: str, grid: tuple[int, int, int], shape: ClipShape) -> Tensor:
    """(N, [cls +] L, C) or (N*T, [cls +] L, C) -> (N, C, T, H, W)."""
    t, h, w = grid
    if order == 'hw':
        frames = tokens[:, tokens.shape[1] - h * w :].unflatten(1, (h, w))  # (N*T, H, W, C)
        return shape.unfolded(frames).permute(0, 4, 1, 2, 3)  # (N, T, H, W, C) -> (N, C, T, H, W)
    positions = tokens[:, tokens.shape[1] - t * h * w :]  # (N, T*H*W, C)
    if order == 'thw':
        return positions.unflatten(1, (t, h, w)).permute(0, 4, 1, 2, 3)  # (N, T, H, W, C) -> (N, C, T, H, W)
    return positions.unflatten(1, (h, w, t)).permute(0, 4, 3, 1, 2)  # (N, H, W, T, C) -> (N, C, T, H, W)


def _clips_to_positions(clips: Tensor, order: str, tokens: Tensor) -> Tensor:
    """(N, C, T, H, W) -> tokens as :func:`_positions_to_clips` takes them, with the class tokens of ``tokens``."""
    if order == 'hw':
        positions = clips.permute(0, 2, 3, 4, 1).flatten(0, 1).flatten(1, 2)  # (N, T, H, W, C) -> (N*T, H*W, C)
    elif order == 'thw':
        positions = clips.permute(0, 2, 3, 4, 1).flatten(1, 3)  # (N, T, H, W, C) -> (N, T*H*W, C)
    else:
        positions = clips.permute(0, 3, 4, 2, 1).flatten(1, 3)  # (N, H, W, T, C) -> (N, H*W*T, C)
    num_class_tokens = tokens.shape[1] - positions.shape[1]
    return _stored_like(tokens, torch.cat((tokens[:, :num_class_tokens], positions), dim=1))


# Orders of the dimensions in memory, slowest first, in which a network may store features beside the plain one.
STORAGE_ORDERS = {
    3: tuple(permutations(range(3)))[1:],
    4: ((0, 2, 3, 1), (0, 3, 1, 2)),
    5: ((0, 2, 3, 4, 1), (0, 2, 1, 3, 4), (0, 4, 1, 2, 3)),
}


def _stored_like(x: Tensor, features: Tensor) -> Tensor:
    """``features`` in the order in memory that ``x`` has, which a network may rely on.

    Sums over another order in memory are rounded differently, too.
    """
    if not x.is_contiguous():
        for order in STORAGE_ORDERS[x.ndim]:
            if x.permute(order).is_contiguous():
                back = [order.index(dim) for dim in range(x.ndim)]
                return features.permute(order).contiguous().permute(back)
    return features.contiguous()


MAX_CLASS_TOKENS = 16
# Orders of tokens that a shape does not tell, by the class of the network.
TOKEN_ORDERS = {'TimeSformer': 'hwt', 'VisionTransformer': 'thw'}
KINDS = {'frames': Frames, 'clips': Clips, 'tokens': Tokens}


def layout_of(output, num_clips: int, size: tuple[int, int], grid: tuple | None, classes: tuple[str, ...]) -> Layout:
    """Find the layout of a module's output from its shape.

    Args:
        output (Tensor | tuple): What the module has put out.
        num_clips (int): N, the clips of the network's input.
        size (tuple[int, int]): H and W of the network's input.
        grid (tuple, optional): Name of the first convolution that was called, and T, H and W of its map.
        classes (tuple[str, ...]): Names of the network's classes.

    Raises:
        ValueError: If the output is none of what is supported, or the order of its tokens is not known.
    """
    if _is_tokens_and_grid(output):
        return TokensAndGrid()
    if isinstance(output, Tensor):
        if output.ndim == 5 and output.shape[0] == num_clips:
            return Clips(channels_last=_is_channels_last(output, size))
        if output.ndim == 4 and output.shape[0] % num_clips == 0:
            return Frames(channels_last=_is_channels_last(output, size))
        if output.ndim == 3 and grid is not None:
            layout = _layout_of_tokens(tuple(output.shape), num_clips, grid, classes)
            if layout is not None:
                return layout
    raise ValueError(f'supported are {SUPPORTED}; found is {_described(output)} for N = {num_clips} clips')


def _is_tokens_and_grid(output) -> bool:
    if not isinstance(output, (tuple, list)) or len(output) != 2 or not isinstance(output[0], Tensor):
        return False
    tokens, grid = output
    is_grid = isinstance(grid, (tuple, list, torch.Size)) and len(grid) == 3 and all(isinstance(n, int) for n in grid)
    return is_grid and tokens.ndim == 3 and 0 <= tokens.shape[1] - math.prod(grid) <= MAX_CLASS_TOKENS


def _is_channels_last(x: Tensor, size: tuple[int, int]) -> bool:
    """Whether the two dimensions before the last have the input's aspect ratio, and the last two have not."""
    first, second, last = x.shape[-3:]
    return not _is_map(second, last, size) and _is_map(first, second, size)


def _is_map(height: int, width: int, size: tuple[int, int]) -> bool:
    """Whether a map may be that of an image of this size at a lower resolution."""
    return abs(height / size[0] * size[1] - width) < 1


def _layout_of_tokens(shape: tuple, num_clips: int, grid: tuple, classes: tuple[str, ...]) -> Tokens | None:
    name, (t, h, w) = grid
    for length_first, (batch, length) in ((False, shape[:2]), (True, shape[1::-1])):
        if batch == num_clips * t and 0 <= length - h * w <= MAX_CLASS_TOKENS:
            return Tokens('hw', name, length_first)
        if batch == num_clips and 0 <= length - t * h * w <= MAX_CLASS_TOKENS:
            order = next((TOKEN_ORDERS[cls] for cls in classes if cls in TOKEN_ORDERS), None)
            if order is None:
                raise ValueError(
                    f"tokens of T x H x W = {t} x {h} x {w} positions, whose order only layout=dict(kind='tokens', "
                    "order='thw') or 'hwt' in the flow's config can tell"
                )
            return Tokens(order, name, length_first)
    return None


def layout_from_config(cfg: str | dict, grid: tuple | None) -> Layout:
    """A layout that a config names: ``'frames'``, ``'clips'``, or a dict of ``kind`` and the layout's settings.

    Args:
        cfg (str | dict): ``kind`` is ``'frames'``, ``'clips'`` or ``'tokens'``; the others are the attributes of
            :class:`Frames`, :class:`Clips` or :class:`Tokens`.
        grid (tuple, optional): Name of the first convolution that was called, tokens' default for ``grid``.

    Raises:
        ValueError: If a name is unknown, or a setting is missing or too much.
    """
    settings = dict(kind=cfg) if isinstance(cfg, str) else dict(cfg)
    kind = settings.pop('kind', None)
    if kind not in KINDS:
        raise ValueError(f"a layout's kind must be one of {tuple(KINDS)}, got {kind!r}")
    if kind == 'tokens':
        if 'grid' not in settings and grid is None:
            raise ValueError("the layout 'tokens' needs grid, the name of the convolution that makes them, got None")
        settings.setdefault('grid', grid and grid[0])
        if settings.get('order') not in ORDERS:
            raise ValueError(f"order of the layout 'tokens' must be one of {ORDERS}, got {settings.get('order')!r}")
    allowed = tuple(KINDS[kind].__dataclass_fields__)
    if not set(settings) <= set(allowed):
        raise ValueError(f'settings of the layout {kind!r} are {allowed}, got {settings}')
    return KINDS[kind](**settings)


def _described(output) -> str:
    if isinstance(output, Tensor):
        return f'a tensor of shape {tuple(output.shape)}'
    if isinstance(output, (tuple, list)):
        return f'a {type(output).__name__} of ' + ', '.join(_described(item) for item in output)
    return type(output).__name__

"""A trial forward pass of a network, which shows how the features of its modules lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call

NUM_CLIPS = 2
# T and the side of square frames, the likely ones first. A frame that is not square comes before all of them, because
# it shows which dimensions are H and W.
LENGTHS = (16, 8, 32, 4, 64)
SIDES = (224, 112, 256, 64, 32, 320, 128, 96, 48)
OBLONG = (224, 160)
# Without the meta device a pass takes time and memory.
LENGTHS_OF_REAL_PASS = (16, 8)
SIZES_OF_REAL_PASS = ((112, 80), (112, 112), (224, 224))


@dataclass
class Trial:
    """What a trial pass has shown.

    Attributes:
        input: The input, (N, C, T, H, W) or (N*T, C, H, W).
        outputs: For each module that was asked for, the outputs of its calls.
        grid: Name of the first convolution that was called, and T, H and W of its map.
        error: Why the pass broke off, or None.
    """

    input: Tensor
    outputs: dict[str, list]
    grid: tuple[str, tuple[int, int, int]] | None = None
    error: Exception | None = field(default=None, repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether the pass reached its end, or every module that was asked for."""
        return self.error is None or all(self.outputs.values())


def find_trial(
    network: nn.Module, names: Sequence[str], num_segments: int | None, input_shape: Sequence[int] | None = None
) -> Trial:
    """Run trial passes with one input after the other until the network takes one.

    A pass on the meta device, which computes shapes alone, comes before one with numbers. The network is left as it
    was.

    Args:
        network (nn.Module): The network.
        names (Sequence[str]): Modules whose outputs are wanted.
        num_segments (int, optional): T of frames (N*T, C, H, W). Without it frames are not tried.
        input_shape (Sequence[int], optional): Shape of one clip, (C, T, H, W), or of one frame, (C, H, W), if the
            network takes that one only.

    Raises:
        ValueError: If the network takes none of the inputs.
    """
    trials = []
    for device in ('meta', None):
        for shape in _shapes(network, num_segments, input_shape, device):
            trial = run_trial(network, names, shape, device)
            if trial.is_complete:
                return trial
            trials.append(trial)
    raise ValueError(_refusal(network, trials, num_segments, input_shape))


def run_trial(network: nn.Module, names: Sequence[str], shape: Sequence[int], device: str | None = 'meta') -> Trial:
    """Run one trial pass in evaluation mode.

    Args:
        network (nn.Module): The network, left as it was.
        names (Sequence[str]): Modules whose outputs are wanted.
        shape (Sequence[int]): The input's, (N, C, T, H, W) or (N*T, C, H, W).
        device (str, optional): ``'meta'``, or None for that of the network. Defaults to ``'meta'``.
    """
    state = dict(network.named_parameters()) | dict(network.named_buffers())
    like = next((tensor for tensor in state.values() if tensor.is_floating_point()), torch.empty(0))
    x = torch.zeros(shape, dtype=like.dtype, device=device or like.device)
    trial = Trial(x, {name: [] for name in names})
    with _recorded(network, trial), _evaluation_mode(network), torch.no_grad():
        try:
            moved = {name: tensor.to('meta') for name, tensor in state.items()} if device == 'meta' else state
            functional_call(network, moved, (x,))
        except Exception as error:  # a network refuses an input in any way it likes
            trial.error = error
    return trial


def _shapes(network, num_segments, input_shape, device) -> Iterator[tuple[int, ...]]:
    """Inputs to try: for each size clips, then frames."""
    if input_shape is not None:
        yield from _given_shape(tuple(input_shape), num_segments)
        return
    channels = _input_channels(network)
    lengths = LENGTHS if device == 'meta' else LENGTHS_OF_REAL_PASS
    lengths = lengths if num_segments is None else (num_segments, *(t for t in lengths if t != num_segments))
    sizes = [OBLONG, *((side, side) for side in SIDES)] if device == 'meta' else SIZES_OF_REAL_PASS
    for size in sizes:
        yield from ((NUM_CLIPS, channels, length, *size) for length in lengths)
        if num_segments is not None:
            yield (NUM_CLIPS * num_segments, channels, *size)


def _given_shape(input_shape: tuple[int, ...], num_segments: int | None) -> Iterator[tuple[int, ...]]:
    if len(input_shape) == 4:
        yield (NUM_CLIPS, *input_shape)
    elif len(input_shape) == 3 and num_segments is None:
        raise ValueError(f'input_shape {input_shape} of a frame needs num_segments, the frames of one clip, got None')
    elif len(input_shape) == 3:
        yield (NUM_CLIPS * num_segments, *input_shape)
    else:
        raise ValueError(f'input_shape must be (C, T, H, W) or (C, H, W), got {input_shape}')


def _input_channels(network: nn.Module) -> int:
    """Channels that the first convolution takes; RGB without any."""
    convolutions = (module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Conv3d)))
    return getattr(next(convolutions, None), 'in_channels', 3)


@contextmanager
def _recorded(network: nn.Module, trial: Trial) -> Iterator[None]:
    """Record in ``trial`` what the modules put out within."""

    def record(name):
        return lambda module, args, output: trial.outputs[name].append(output)

    def record_grid(name):
        def hook(module, args, output):
            if trial.grid is None:
                trial.grid = (name, grid_of(output, NUM_CLIPS))

        return hook

    handles = [network.get_submodule(name).register_forward_hook(record(name)) for name in trial.outputs]
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            handles.append(module.register_forward_hook(record_grid(name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def grid_of(maps: Tensor, num_clips: int) -> tuple[int, int, int]:
    """T, H and W of a convolution's maps (N, C, T, H, W) or (N*T, C, H, W)."""
    length = maps.shape[2] if maps.ndim == 5 else maps.shape[0] // num_clips
    return (length, *maps.shape[-2:])


@contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode within, and in its own mode after it."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        for module, _ in modes:
            module.training = False  # not by eval(), which networks override
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _refusal(network, trials, num_segments, input_shape) -> str:
    first, last = trials[0], trials[-1]
    message = f'{type(network).__name__} takes none of the {len(trials)} inputs that were tried'
    message += f', of shapes {tuple(first.input.shape)} ({error_line(first.error)}) to {tuple(last.input.shape)}'
    message += f' ({error_line(last.error)}): '
    if num_segments is None:
        message += 'if it takes frames (N*T, C, H, W), give num_segments, the frames T of one clip'
        message += '' if input_shape else '; otherwise '
    return message + ('' if input_shape else "give input_shape, a clip's (C, T, H, W) or a frame's (C, H, W)")


def error_line(error: Exception | None) -> str:
    """The kind of an error and the first line of its message."""
    text = str(error).strip().splitlines()
    return f'{type(error).__name__}: {text[0] if text else ""}'[:200]

"""Weights in torchvision's ResNet naming, checked against a backbone before they are loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from repflow_mm.compat.checkpoint_forms import state_dict_of
from repflow_mm.models.convert import refuse_released

RGB_CHANNELS = 3
FIRST_CONVOLUTION = 'conv1.weight'

# MMAction2's names of a ResNet's parts, and torchvision's.
_RENAMED = (
    (r'\bconv(\d)\.conv\.', r'conv\1.'),
    (r'\bconv(\d)\.bn\.', r'bn\1.'),
    (r'\bdownsample\.conv\.', 'downsample.0.'),
    (r'\bdownsample\.bn\.', 'downsample.1.'),
)


def check_pretrained(backbone: nn.Module, source: str) -> str:
    """Check that a file of torchvision's ResNet weights is one of this backbone's architecture.

    Args:
        backbone (nn.Module): A 2D or inflatable 3D ResNet of MMAction2.
        source (str): Path or address of the weights.

    Returns:
        str: A report: how many of the file's tensors the backbone takes, which it does not, which parts of the
        backbone start without weights from the file, and whether its first convolution is averaged over RGB.

    Raises:
        ValueError: If weights of the backbone are missing in the file or have another shape there, or if it holds no
            weights, or the authors' under their own names.
    """
    found = _read(source)
    wanted = {_torchvision_name(name): _shape_2d(value) for name, value in backbone.state_dict().items()}
    own = {_part(name) for name in backbone.state_dict() if _torchvision_name(name) is None}
    if hasattr(backbone, 'flow_insertion'):  # which hides its blocks while weights are initialised
        own |= {f'flow_blocks.{name}' for name in backbone.flow_insertion.blocks}
    wanted.pop(None, None)
    averaged = _is_averaged(backbone, found)
    if averaged:
        wanted[FIRST_CONVOLUTION] = tuple(found[FIRST_CONVOLUTION].shape[:2]) + wanted[FIRST_CONVOLUTION][2:]
    wrong = [_difference(name, shape, found) for name, shape in wanted.items() if _difference(name, shape, found)]
    if wrong:
        raise ValueError(
            f'{source} holds no weights of a ResNet-{backbone.depth} as {type(backbone).__name__} needs them: '
            f'{len(wrong)} of {len(wanted)} tensors do not fit, the first: {wrong[0]}'
        )
    unused = sorted(name for name in found if name not in wanted)
    return (
        f'{source}: {len(found) - len(unused)} of {len(found)} tensors go into {type(backbone).__name__}; '
        f'not used: {unused or "none"}; not in the file, so initialised anew: {sorted(own) or "none"}'
        + (f'; {FIRST_CONVOLUTION}: mean over RGB, repeated for {backbone.in_channels} channels' if averaged else '')
    )


@contextmanager
def averaged_over_rgb(backbone: nn.Module, source: str) -> Iterator[None]:
    """Load weights of an RGB network within, whatever the number of the backbone's input channels.

    The first convolution takes RGB within; at the end every input channel gets the mean of its kernels over red, green
    and blue. Upstream leaves it random and says so in a log alone. Source: Wang et al., "Temporal Segment Networks",
    ECCV 2016, cross-modality pre-training. Nothing changes if the file's first convolution has the backbone's channels.

    Args:
        backbone (nn.Module): A 2D or inflatable 3D ResNet of MMAction2.
        source (str): Path or address of the weights.
    """
    if not _is_averaged(backbone, _read(source)):
        yield
        return
    convolution, own = backbone.conv1.conv, backbone.conv1.conv.weight
    shape = (own.shape[0], RGB_CHANNELS, *own.shape[2:])
    convolution.weight = nn.Parameter(own.detach().new_empty(shape), requires_grad=False)
    try:
        yield
        own.data.copy_(convolution.weight.mean(dim=1, keepdim=True).expand_as(own))
    finally:
        convolution.weight = own


def _read(source: str) -> dict[str, Tensor]:
    """The tensors of a file of weights."""
    state = state_dict_of(CheckpointLoader.load_checkpoint(source, map_location='cpu'), source)
    refuse_released(state, source)
    return state


def _is_averaged(backbone: nn.Module, found: dict[str, Tensor]) -> bool:
    """Whether the weights are of an RGB network and the backbone takes another number of channels."""
    first = found.get(FIRST_CONVOLUTION)
    return first is not None and first.shape[1] == RGB_CHANNELS != backbone.in_channels


def _torchvision_name(name: str) -> str | None:
    """Torchvision's name of a tensor of MMAction2's ResNet, or None if torchvision's ResNet has no such tensor."""
    if not re.match(r'(conv1|layer\d\.\d+\.(conv\d|downsample))\.(conv|bn)\.', name):
        return None
    for ours, theirs in _RENAMED:
        name = re.sub(ours, theirs, name)
    return name


def _part(name: str) -> str:
    """The module that a tensor of ours belongs to: ``'flow_blocks.block3'``, ``'layer2.1.non_local_block'``."""
    return re.match(r'flow_blocks\.\w+|(.*?non_local_block)|.*', name).group()


def _shape_2d(value: Tensor) -> tuple[int, ...]:
    """A tensor's shape in a 2D network; a 3D kernel takes a 2D one, repeated over time."""
    return tuple(value.shape[:2] + value.shape[3:]) if value.ndim == 5 else tuple(value.shape)


def _difference(name: str, shape: tuple[int, ...], found: dict[str, Tensor]) -> str | None:
    """Why a tensor cannot be loaded, or None."""
    if name not in found:
        # Files from before PyTorch 0.4.1 have no such counters.
        return None if name.endswith('num_batches_tracked') else f'{name} is missing'
    other = tuple(found[name].shape)
    return None if other == shape else f'{name} has shape {other}, needed is {shape}'

"""Weights in torchvision's ResNet naming, checked against a backbone before they are loaded."""

from __future__ import annotations

import re

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

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
        str: A report: how many of the file's tensors the backbone takes, which it does not, and which parts of the
        backbone start without weights from the file.

    Raises:
        ValueError: If weights of the backbone are missing in the file or have another shape there.
    """
    found = CheckpointLoader.load_checkpoint(source, map_location='cpu')
    found = found.get('state_dict', found)
    wanted = {_torchvision_name(name): value for name, value in backbone.state_dict().items()}
    own = sorted({_part(name) for name in backbone.state_dict() if _torchvision_name(name) is None})
    wanted.pop(None, None)
    wrong = [_difference(name, value, found) for name, value in wanted.items() if _difference(name, value, found)]
    if wrong:
        raise ValueError(
            f'{source} holds no weights of a ResNet-{backbone.depth} as {type(backbone).__name__} needs them: '
            f'{len(wrong)} of {len(wanted)} tensors do not fit, the first: {wrong[0]}'
        )
    unused = sorted(name for name in found if name not in wanted)
    return (
        f'{source}: {len(found) - len(unused)} of {len(found)} tensors go into {type(backbone).__name__}; '
        f'not used: {unused or "none"}; not in the file, so initialised anew: {own or "none"}'
    )


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


def _difference(name: str, value: Tensor, found: dict[str, Tensor]) -> str | None:
    """Why a tensor cannot be loaded, or None; a 3D kernel takes a 2D one, repeated over time."""
    if name not in found:
        # Files from before PyTorch 0.4.1 have no such counters.
        return None if name.endswith('num_batches_tracked') else f'{name} is missing'
    shape = tuple(value.shape[:2] + value.shape[3:]) if value.ndim == 5 else tuple(value.shape)
    other = tuple(found[name].shape)
    return None if other == shape else f'{name} has shape {other}, needed is {shape}'

"""Weights of the authors' release of February 2019, under our names.

Source: github.com/piergiaj/representation-flow-cvpr19 as of February 2019: the flow layer ``FlowLayer`` and the (2+1)D
network with flow of flow that holds two of them (``flow_2p1d_resnets.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from repflow_mm.compat.checkpoint_forms import plain_names
from repflow_mm.models.layers.representation_flow import SMALLEST

# The authors' name, ours and the start value that a term has which is not in the file because it was not learned.
SCALARS = (('t', 'raw_theta', 0.3), ('l', 'raw_lam', 0.15), ('a', 'raw_tau', 0.25))
# Our kernel, the authors' two for x and y, and the number of taps.
KERNELS = (
    ('image_kernel', 'img_grad', 'img_grad2', 3),
    ('flow_kernel', 'f_grad', 'f_grad2', 2),
    ('div_kernel', 'div', 'div2', 2),
)
FLOW_LAYERS = {'flow_layer.': 'steps.flow0.', 'flow_layer2.': 'steps.flow2.'}

_BLOCK = 'backbone.flow_blocks.block3.'
_RENAMED = (
    (r'flow_cmp\.(.*)', _BLOCK + r'reduce.\1'),
    (r'flow_conv\.(.*)', _BLOCK + r'steps.conv1.0.\1'),
    (r'flow_cmp2\.(.*)', _BLOCK + r'steps.conv1.1.\1'),
    (r'flow_conv2\.(.*)', _BLOCK + r'expand.\1'),
    (r'bnf\.(.*)', _BLOCK + r'norm.\1'),
    (r'((?:layer\d\.\d+\.)?)conv(\d)\.(.*)', r'backbone.\1conv\2.conv.\3'),
    (r'((?:layer\d\.\d+\.)?)bn(\d)\.(.*)', r'backbone.\1conv\2.bn.\3'),
    (r'(layer\d\.\d+\.downsample)\.0\.(.*)', r'backbone.\1.conv.\2'),
    (r'(layer\d\.\d+\.downsample)\.1\.(.*)', r'backbone.\1.bn.\2'),
    (r'fc\.(.*)', r'cls_head.fc_cls.\1'),
)

# Where the authors' network computes otherwise than ResNet3d whatever its weights.
DIFFERENCES = (
    'stem: theirs is 7x7x7 without temporal padding (T - 6 frames come out), ours pads (conv1_kernel=(7, 7, 7))',
    'first pooling: theirs takes the maximum over 3 frames at temporal stride 2, ours over space alone',
    'temporal stride 2 in layer2 to layer4: theirs begins with a frame of zeros (frames -1, 1, 3, ...), ours with '
    'frame 0',
    'temporal kernels: theirs has 3x1x1 in every bottleneck (inflate=(1, 1, 1, 1)), not in every second',
    "flow input: theirs is normalised over the batch (normalize='batch')",
    'pixels: theirs are 1 - 2x/255',
    'number of iterations: the weights do not tell it',
)


@dataclass
class Conversion:
    """Converted weights, and what became of each tensor.

    Attributes:
        state_dict: Our names and values.
        mapped: Pairs of the authors' name and ours; several of theirs can go into one of ours.
        left: For each of the authors' tensors that is not in ``state_dict``, why.
        assumed: Our terms that are not in the file and got the start value that the authors' layer keeps then.
        unset: Tensors of the target model that no tensor of the file goes into.
        notes: What else to know.
    """

    state_dict: dict[str, Tensor] = field(default_factory=dict)
    mapped: list[tuple[str, str]] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    unset: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def report(self) -> list[str]:
        """Lines that say what was mapped and what was left."""
        theirs = len(self.mapped) + len(self.left)
        lines = [f'{len(self.mapped)} of {theirs} tensors mapped, {len(self.left)} left:']
        lines += [f'  {name} -> {ours}' for name, ours in self.mapped]
        lines += [f'  {name}: left, {why}' for name, why in self.left.items()]
        lines += [f'  {name}: not in the file, as it was not learned; set to its start value' for name in self.assumed]
        lines += [f'  {name}: nothing in the file goes into it' for name in self.unset]
        return [*lines, *(f'note: {note}' for note in self.notes)]


def refuse_released(state: Mapping[str, Tensor], name: str) -> None:
    """Raise ValueError, which says how to convert them, for weights of the authors' under their own names.

    Args:
        state (Mapping[str, Tensor]): Any state dict.
        name (str): What the error calls its file.
    """
    if any(f'{place}img_grad' in state for place in ('', *FLOW_LAYERS)):
        raise ValueError(
            f"checkpoint {name} holds the authors' released weights under their own names: convert it once with "
            f'python -m repflow_mm convert_released_weights {name} converted.pth --config CONFIG, and load that file'
        )


def convert_released_weights(released: Mapping[str, Tensor], prefix: str = '') -> Conversion:
    """Convert the state dict of the authors' layer, or of their (2+1)D network with flow of flow.

    The layer is converted exactly: :class:`RepresentationFlow` with the result computes what theirs computes. So is
    the block of two layers (``FlowBlock(steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add',
    normalize='batch')``). The network gets the names of a recognizer with ``RepFlowResNet3d`` and ``I3DHead``; what it
    computes otherwise is in ``notes``.

    Args:
        released (Mapping[str, Tensor]): The authors' state dict, of February 2019; ``module.`` in front is dropped.
        prefix (str): Put before the names of a lone layer's terms, e.g.
            ``'backbone.flow_blocks.block3.steps.flow0.'``. Defaults to none.

    Returns:
        Conversion: The weights and the report.

    Raises:
        ValueError: If there is no flow layer of February 2019 in it.
    """
    released = plain_names(dict(released))
    _refuse_june(released)
    result = Conversion()
    if 'img_grad' in released:
        _convert_layer(released, '', prefix, result)
        _leave_the_rest(released, result)
        return result
    if 'flow_layer.img_grad' not in released:
        raise ValueError(
            "no flow layer of the authors' release of February 2019: neither 'img_grad' nor 'flow_layer.img_grad' is "
            f'among the {len(released)} names, the first of which are {list(released)[:5]}'
        )
    for theirs, ours in FLOW_LAYERS.items():
        if f'{theirs}img_grad' in released:
            _convert_layer(released, theirs, _BLOCK + ours, result)
    for name, value in released.items():
        if not name.startswith(tuple(FLOW_LAYERS)):
            _rename(name, value, result)
    _leave_the_rest(released, result)
    result.notes += DIFFERENCES
    return result


def fit_to(conversion: Conversion, target: Mapping[str, Tensor]) -> Conversion:
    """Keep what a model takes, with kernels brought to its number of dimensions where that changes nothing.

    A 1xHxW kernel loses or gains its temporal axis, or goes into the middle of a longer one whose other taps are 0.

    Args:
        conversion (Conversion): From :func:`convert_released_weights`.
        target (Mapping[str, Tensor]): The model's state dict.

    Returns:
        Conversion: With ``left`` for what does not fit and ``unset`` for what the model is left without.
    """
    result = Conversion(left=dict(conversion.left), notes=list(conversion.notes))
    for name, value in conversion.state_dict.items():
        fitted = _fit(value, target[name].shape) if name in target else None
        if fitted is not None:
            result.state_dict[name] = fitted
    for theirs, ours in conversion.mapped:
        if ours in result.state_dict:
            result.mapped.append((theirs, ours))
        elif ours not in target:
            result.left[theirs] = f'the model has no {ours}'
        else:
            shapes = tuple(conversion.state_dict[ours].shape), tuple(target[ours].shape)
            result.left[theirs] = f'its shape {shapes[0]} does not fit {ours} {shapes[1]}'
    result.assumed = [name for name in conversion.assumed if name in result.state_dict]
    result.unset = [name for name in target if name not in result.state_dict]
    return result


def _refuse_june(released: Mapping[str, Tensor]) -> None:
    """Raise ValueError for weights of the authors' release of June 2019, whose layer computes something else."""
    for name, value in released.items():
        last = name.rpartition('.')[2]
        mixes = last in ('img_grad', 'img_grad2') and value.ndim == 4 and value.shape[1] > 1
        vertical = last in ('f_grad', 'div') and value.ndim == 4 and tuple(value.shape[2:]) == (2, 1)
        if mixes or vertical:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}, as in the authors' release of June 2019: its layer sums the "
                'gradients of all channels and lacks the flow gradient along x, so it has no counterpart here. Only '
                'the release of February 2019 converts, with kernels (C, 1, 1, 3) and (C, 1, 1, 2)'
            )


def _convert_layer(released: Mapping[str, Tensor], theirs: str, ours: str, result: Conversion) -> None:
    """Add a flow layer's terms, whose names begin with ``theirs`` there and with ``ours`` here."""
    for name, term, start in SCALARS:
        if theirs + name in released:
            value = _checked(released, theirs + name, (1,)).reshape(())
            result.mapped.append((theirs + name, ours + term))
        else:
            value = torch.tensor(start)
            result.assumed.append(ours + term)
        result.state_dict[ours + term] = value
        if value < SMALLEST:
            result.notes.append(f'{theirs + name} is {value:g}; our layer computes with {SMALLEST:g}, so it differs')
    channels = len(released[theirs + 'img_grad'])
    for term, name_x, name_y, taps in KERNELS:
        along_x = _checked(released, theirs + name_x, (channels, 1, 1, taps))[:, 0, 0, :]  # (C, taps)
        along_y = _checked(released, theirs + name_y, (channels, 1, taps, 1))[:, 0, :, 0]  # (C, taps)
        kernel = torch.stack((along_x, along_y))  # (2, C, taps)
        if term == 'image_kernel':
            square = kernel.new_zeros(2, channels, 3, 3)
            square[0, :, 1, :], square[1, :, :, 1] = along_x, along_y
            kernel = square
        result.state_dict[ours + term] = kernel
        result.mapped += [(theirs + name_x, ours + term), (theirs + name_y, ours + term)]


def _checked(released: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in released:
        raise ValueError(f"{name} is missing, which the authors' layer of February 2019 has")
    if tuple(released[name].shape) != shape:
        raise ValueError(f'{name} must have shape {shape}, got {tuple(released[name].shape)}')
    return released[name].detach().clone()


def _rename(name: str, value: Tensor, result: Conversion) -> None:
    """Add a tensor of the network under our name."""
    for theirs, ours in _RENAMED:
        match = re.fullmatch(theirs, name)
        if match:
            renamed = match.expand(ours)
            # Our block works on folded frames: (O, I, 1, kH, kW) -> (O, I, kH, kW).
            value = value.squeeze(2) if renamed.startswith(_BLOCK) and value.ndim == 5 else value
            result.state_dict[renamed] = value.detach().clone()
            result.mapped.append((name, renamed))
            return


def _leave_the_rest(released: Mapping[str, Tensor], result: Conversion) -> None:
    known = dict(result.mapped)
    result.left.update({name: 'it has no counterpart' for name in released if name not in known})


def _fit(value: Tensor, shape: torch.Size) -> Tensor | None:
    """The value in that shape, or None if it cannot take it unchanged in effect."""
    if value.shape == shape:
        return value
    if value.ndim == 4 and len(shape) == 5:
        value = value[:, :, None]  # (O, I, kH, kW) -> (O, I, 1, kH, kW)
    if value.ndim == 5 and len(shape) == 4 and value.shape[2] == 1:
        value = value[:, :, 0]  # (O, I, 1, kH, kW) -> (O, I, kH, kW)
    if value.ndim == 5 and len(shape) == 5 and value.shape[2] == 1 and shape[2] % 2:
        wide = value.new_zeros(*value.shape[:2], shape[2], *value.shape[3:])
        wide[:, :, shape[2] // 2] = value[:, :, 0]
        value = wide
    return value if value.shape == shape else None

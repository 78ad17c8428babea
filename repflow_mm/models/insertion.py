"""Insertion of flow blocks into a network: one mechanism for every network."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.model import ModuleDict
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from repflow_mm.models.layers import FlowBlock
from repflow_mm.models.layouts import (
    ClipShape,
    Layout,
    NetworkInput,
    Tokens,
    TokensAndGrid,
    layout_from_config,
    layout_of,
)
from repflow_mm.models.trial import Trial, find_trial, grid_of

FlowConfig = dict | Sequence[dict] | None


def insert_flow(
    network: nn.Module,
    flow: FlowConfig,
    num_segments: int | None = None,
    input_shape: Sequence[int] | None = None,
) -> nn.Module:
    """Put flow blocks behind modules of a network, which stays the same object, with the same names and weights.

    The blocks are under ``network.flow_blocks``, each by the name of its module with ``_`` for dots. A block gets the
    features as clips (N, C, T, H, W), however they lie in the network: frames (N*T, C, H, W), clips, either with its
    channels last, and tokens (N, [cls +] T*H*W, C). Which one it is and C are found by a trial pass on the meta device.
    T is kept, the last flow being repeated, as position embeddings and temporal shifts need it; nothing follows the
    sum, as a ReLU would cut negative features. With ``fusion='add', zero_init_norm=True`` the network computes at the
    start what it computes without flow.

    Args:
        network (nn.Module): Any network that takes clips (N, C, T, H, W) or frames (N*T, C, H, W), changed in place.
        flow (dict | list[dict], optional): One block or several: ``after``, the name of a module or ``'input'``; the
            arguments of :class:`repflow_mm.models.FlowBlock`, with ``keep_length=True`` and ``act_cfg=None`` as
            defaults; and ``layout``, if the module's output cannot tell it, see
            :func:`repflow_mm.models.layouts.layout_from_config`. ``in_channels`` is found; with ``layout`` and
            ``in_channels`` given there is no trial pass. None leaves the network as it is.
        num_segments (int, optional): Frames T of one clip, for networks that take frames. Defaults to the network's
            attribute ``num_segments``, if it has one.
        input_shape (Sequence[int], optional): Shape of one clip, (C, T, H, W), or of one frame, (C, H, W), if the
            network takes no usual one. Defaults to None.

    Returns:
        nn.Module: ``network``.

    Raises:
        TypeError: If ``flow`` is no dict, list of dicts or None.
        ValueError: If a module does not exist, is not called exactly once, has two blocks or puts out something that
            is not supported; if an argument of a block is unknown or not allowed; if the trial pass fails.

    Example:
        >>> network = insert_flow(nn.Sequential(nn.Conv3d(3, 8, 3), nn.Conv3d(8, 8, 3)), dict(after='0', channels=4))
        >>> network(torch.rand(1, 3, 8, 32, 32)).shape
        torch.Size([1, 8, 4, 28, 28])
    """
    if as_list(flow):
        insertion = FlowInsertion(network, num_segments)
        insertion.insert(as_list(flow), input_shape)
    return network


class FlowInsertion:
    """The flow blocks of one network, and what the network's forward pass, training and start need for them.

    A network has one, ``network.flow_insertion``. The blocks are hidden from the network while its own class sets
    modes or weights, because MMAction2's networks do so by loops over all of their modules.

    Args:
        network (nn.Module): The network.
        num_segments (int, optional): Frames T of one clip. Defaults to the network's own ``num_segments``.

    Raises:
        ValueError: If the network has flow blocks already, or another ``num_segments``.
    """

    def __init__(self, network: nn.Module, num_segments: int | None = None) -> None:
        if hasattr(network, 'flow_blocks'):
            raise ValueError(f'{type(network).__name__} has flow blocks already: insert all of them at once')
        own = getattr(network, 'num_segments', None)
        if None not in (own, num_segments) and own != num_segments:
            raise ValueError(f'num_segments must be that of {type(network).__name__}, {own}, got {num_segments}')
        self.network = network
        self.num_segments = own if num_segments is None else num_segments
        self.shape = ClipShape()
        self.blocks = ModuleDict()

    def insert(self, configs: Sequence[dict], input_shape: Sequence[int] | None = None) -> None:
        """Build a block for each config and hook it behind its module; see :func:`insert_flow`."""
        modules = [self._module_of(cfg) for cfg in configs]
        unknown = [name for cfg, name in zip(configs, modules) if name != 'input' and not _is_described(cfg)]
        trial = find_trial(self.network, unknown, self.num_segments, input_shape)
        layouts = [self._layout(cfg, name, trial) for cfg, name in zip(configs, modules)]
        blocks = [self._build(cfg, name, layout, trial) for cfg, name, layout in zip(configs, modules, layouts)]
        self.blocks = self.network.flow_blocks = self._named(configs, blocks).train(self.network.training)
        self._hook(modules, blocks, layouts)
        self._take_over()

    def _module_of(self, cfg: dict) -> str:
        """The name of the module that a config's ``after`` means, or ``'input'``."""
        after = cfg.get('after')
        names = ['input', *(name for name, _ in self.network.named_modules() if name)]
        if after not in names:
            nearest = difflib.get_close_matches(str(after), names, n=3, cutoff=0.4) or names[:3]
            raise ValueError(
                f"flow's 'after' must be 'input' or a module of {type(self.network).__name__}, got {after!r}; the "
                f'nearest are {nearest}'
            )
        return after

    def _named(self, configs: Sequence[dict], blocks: Sequence[FlowBlock]) -> ModuleDict:
        named = ModuleDict()
        for cfg, block in zip(configs, blocks):
            name = cfg['after'].replace('.', '_')
            if name in named:
                raise ValueError(
                    f"flow has two blocks after {cfg['after']!r}; for flow of flow use one block's 'steps'"
                )
            named[name] = block
        return named

    def _layout(self, cfg: dict, name: str, trial: Trial) -> Layout:
        if name == 'input':
            return NetworkInput()
        if 'layout' in cfg:
            layout = layout_from_config(cfg['layout'], trial.grid)
            if isinstance(layout, Tokens) and layout.grid not in dict(self.network.named_modules()):
                raise ValueError(f'grid must be a module of {type(self.network).__name__}, got {layout.grid!r}')
            return layout
        classes = tuple(cls.__name__ for cls in type(self.network).__mro__)
        output = _only_call(name, trial)
        try:
            return layout_of(output, self._clips_of(trial), trial.input.shape[-2:], trial.grid, classes)
        except ValueError as error:
            raise ValueError(f'no flow block fits after {name!r} of {classes[0]}: {error}') from error

    def _clips_of(self, trial: Trial) -> int:
        """N of the trial's input."""
        return trial.input.shape[0] // (1 if trial.input.ndim == 5 else self.num_segments)

    def _build(self, cfg: dict, name: str, layout: Layout, trial: Trial) -> FlowBlock:
        """The block of a config, on the network's device."""
        arguments = {key: value for key, value in cfg.items() if key not in ('after', 'layout')}
        allowed = list(inspect.signature(FlowBlock).parameters)
        for key in arguments:
            if key not in allowed:
                nearest = difflib.get_close_matches(key, ['after', 'layout', *allowed], n=1, cutoff=0.4)
                hint = f', nearest is {nearest[0]!r}' if nearest else ''
                raise ValueError(f'flow has no argument {key!r}{hint}; there are after, layout, {", ".join(allowed)}')
        if not _is_described(cfg):
            output = trial.input if name == 'input' else _only_call(name, trial)
            arguments['in_channels'] = layout.num_channels(output)
        block = FlowBlock(**{**self._defaults_for(name), **arguments})
        if isinstance(layout, (Tokens, TokensAndGrid)) and not block.keep_length:
            raise ValueError(f'keep_length must be True for the tokens of {name!r}, which have fixed places, got False')
        parameter = next(self.network.parameters(), None)
        return block.to(None if parameter is None else parameter.device)

    def _defaults_for(self, name: str) -> dict:
        """Arguments of a module's block where the config says nothing."""
        return dict(keep_length=True, act_cfg=None)

    def _hook(self, modules: Sequence[str], blocks: Sequence[FlowBlock], layouts: Sequence[Layout]) -> None:
        """Register what runs in a forward pass: notes of the input and of grids of tokens, then the blocks."""
        self.network.register_forward_pre_hook(self.note_input)
        for grid in dict.fromkeys(layout.grid for layout in layouts if hasattr(layout, 'grid')):
            self.network.get_submodule(grid).register_forward_hook(GridHook(self.shape, grid))
        for name, block, layout in zip(modules, blocks, layouts):
            hook = self._flow_hook(block, layout)
            if name == 'input':
                self.network.register_forward_pre_hook(InputHook(hook))
            else:
                self.network.get_submodule(name).register_forward_hook(hook)

    def _flow_hook(self, block: FlowBlock, layout: Layout) -> FlowHook:
        return FlowHook(block, layout, self.shape)

    def _take_over(self) -> None:
        """Put the methods that loop over the network's modules under this object's care."""
        self.network.flow_insertion = self
        self.network.train = self.train
        if hasattr(self.network, 'init_weights'):
            self.network.init_weights = self.init_weights

    def note_input(self, network: nn.Module, args: tuple) -> None:
        """Forward pre-hook of the network: note how many clips the input has.

        Raises:
            ValueError: If the input has neither form or cannot be divided into clips.
        """
        x = args[0] if args else None
        if not isinstance(x, Tensor) or x.ndim not in (4, 5):
            given = f'shape {tuple(x.shape)}' if isinstance(x, Tensor) else f'{type(x).__name__} as the first argument'
            raise ValueError(f'x must be (N, C, T, H, W) or (N*T, C, H, W), got {given}')
        self.shape.is_folded = x.ndim == 4
        self.shape.num_clips = self._clips_in(x.shape[0]) if x.ndim == 4 else x.shape[0]

    def _clips_in(self, num_frames: int) -> int:
        if self.num_segments is None:
            raise ValueError(f'{num_frames} frames (N*T, C, H, W) need num_segments, the frames of one clip, got None')
        if num_frames % self.num_segments:
            raise ValueError(
                f'{num_frames} frames (N*T, C, H, W) are no whole clips of num_segments={self.num_segments}: '
                'set num_segments to the frames of one clip'
            )
        return num_frames // self.num_segments

    @contextmanager
    def hidden_blocks(self) -> Iterator[None]:
        """Within, the network has no flow blocks among its modules."""
        del self.network.flow_blocks
        try:
            yield
        finally:
            self.network.flow_blocks = self.blocks

    def train(self, mode: bool = True) -> nn.Module:
        """In place of ``network.train``: the class's own, then the blocks; ``norm_eval`` fixes their norms too."""
        network = self.network
        with self.hidden_blocks():
            type(network).train(network, mode)
        self.blocks.train(mode)
        if mode and getattr(network, 'norm_eval', False):
            for module in self.blocks.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return network

    def init_weights(self, *args, **kwargs) -> None:
        """In place of ``network.init_weights``: the class's own, then the blocks."""
        with self.hidden_blocks():
            type(self.network).init_weights(self.network, *args, **kwargs)
        for block in self.blocks.values():
            block.init_weights()


class FlowHook:
    """Forward hook of a module: its output passes a flow block.

    Hooks are objects, not closures, so that a copy of the network has hooks with its own blocks.
    """

    def __init__(self, block: FlowBlock, layout: Layout, shape: ClipShape) -> None:
        self.block, self.layout, self.shape = block, layout, shape

    def __call__(self, module: nn.Module, args: tuple, output):
        """What the network gets in place of ``output``."""
        clips = self.layout.to_clips(output, self.shape)  # (N, C, T, H, W)
        return self.layout.from_clips(self.block(clips), output, self.shape)


class InputHook:
    """Forward pre-hook of the network: its input passes a flow block."""

    def __init__(self, hook: FlowHook) -> None:
        self.hook = hook

    def __call__(self, network: nn.Module, args: tuple) -> tuple:
        """The arguments with the first one replaced."""
        return (self.hook(network, args, args[0]), *args[1:])


class GridHook:
    """Forward hook of the convolution that makes tokens: notes T, H and W of its map."""

    def __init__(self, shape: ClipShape, name: str) -> None:
        self.shape, self.name = shape, name

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> None:
        """Note the grid; the output stays."""
        self.shape.grids[self.name] = grid_of(output, self.shape.num_clips)


def as_list(flow: FlowConfig) -> list[dict]:
    """``flow`` as a list of dicts.

    Raises:
        TypeError: If it is none of the allowed forms.
    """
    blocks = [] if flow is None else [flow] if isinstance(flow, dict) else flow
    if not isinstance(blocks, (list, tuple)) or not all(isinstance(block, dict) for block in blocks):
        raise TypeError(f'flow must be None, a dict or a list of dicts, got {flow!r}')
    return list(blocks)


def _is_described(cfg: dict) -> bool:
    """Whether a config tells the layout and the channels, so that no trial pass need find them."""
    return 'layout' in cfg and 'in_channels' in cfg


def _only_call(name: str, trial: Trial):
    """The output of a module's only call in the trial pass."""
    outputs = trial.outputs[name]
    if len(outputs) != 1:
        raise ValueError(
            f'{name!r} must be called once in a forward pass to have a flow block, got {len(outputs)} calls: name a '
            'module that computes, not a list of modules or one that serves several places'
        )
    return outputs[0]

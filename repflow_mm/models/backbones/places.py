"""The paper's places of flow blocks in ResNets, and what its networks do differently from other ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmengine.logging import MMLogger
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from repflow_mm.models.backbones.pretrained import averaged_over_rgb, check_pretrained
from repflow_mm.models.insertion import FlowConfig, FlowHook, FlowInsertion, InputHook, as_list
from repflow_mm.models.layers import FlowBlock
from repflow_mm.models.layers.folding import repeat_last
from repflow_mm.models.layouts import ClipShape, Layout
from repflow_mm.models.trial import NUM_CLIPS, error_line, run_trial

# Frames that all of MMAction2's ResNets take.
TRIAL_SIZE = (64, 48)
# Longest clip that an error proposes, in frames more than given.
MAX_SHORTAGE = 256


class PaperNetwork(nn.Module):
    """Mixin of MMAction2's ResNets that can hold a flow block after any of the paper's places.

    The places are ``'input'`` (the RGB frames), ``'block1'`` (the stem, with its pooling), ``'block2'`` to
    ``'block5'`` (``layer1`` to ``layer4``, each with the pooling that follows it).
    """

    @classmethod
    def expected_input(cls, cfg: dict) -> dict:
        """What a network of this config takes, for checks before it is built.

        Returns:
            dict: ``channels``, and ``num_segments``, of which folded frames must be a multiple, or None.
        """
        return dict(channels=cfg.get('in_channels', 3), num_segments=None)

    def places(self) -> dict[str, str]:
        """The places that exist, in the order of computation, each with the module that a block goes behind."""
        stages = {f'block{i + 2}': name for i, name in enumerate(self.res_layers)}
        return {'input': 'input', 'block1': 'maxpool', **stages}

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode as MMAction2's ResNet does, and return self."""
        super().train(mode)
        return self

    def _check_depth(self, depth: int) -> None:
        """Raise ValueError if MMAction2 has no ResNet of this depth."""
        if depth not in self.arch_settings:
            raise ValueError(f'depth must be one of {tuple(self.arch_settings)}, got {depth!r}')

    def _insert_flow(self, flow: FlowConfig, num_segments: int | None) -> None:
        """Insert the blocks of ``flow``, if there are any; see :class:`PaperInsertion`."""
        if num_segments is not None and num_segments < 1:
            raise ValueError(f'num_segments must be > 0, got {num_segments}')
        self.num_segments = num_segments
        if as_list(flow):
            PaperInsertion(self).insert(as_list(flow))

    def _load_checked(self, load: Callable[[MMLogger], None], logger: MMLogger) -> None:
        """Load torchvision's weights at ``pretrained`` by ``load``, after a check; log what they do not cover.

        With another number of input channels than RGB's, the first convolution gets its mean over RGB in each.
        """
        logger.info(check_pretrained(self, self.pretrained))
        with averaged_over_rgb(self, self.pretrained):
            load(logger)

    def _selected(self, stages: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        """The stages ``out_indices``: a tuple if there are several."""
        outs = tuple(x for i, x in enumerate(stages) if i in self.out_indices)
        return outs[0] if len(outs) == 1 else outs


class PaperInsertion(FlowInsertion):
    """Flow blocks at the paper's places, where T shortens and a ReLU follows the fusion.

    Folded frames, whose number a network's head expects to stay, keep T: a clip's last flow is repeated.
    """

    def _module_of(self, cfg: dict) -> str:
        places, after = self.network.places(), cfg.get('after')
        if after not in places:
            raise ValueError(f"flow's 'after' must be one of {tuple(places)} in this backbone, got {after!r}")
        return places[after]

    def _defaults_for(self, name: str) -> dict:
        # RGB has negative values, which a ReLU would cut.
        return dict(act_cfg=None) if name == 'input' else {}

    def _hook(self, modules: Sequence[str], blocks: Sequence[FlowBlock], layouts: Sequence[Layout]) -> None:
        if self.num_segments is not None:
            self._check_num_segments(dict(zip(modules, zip(blocks, layouts))))
        super()._hook(modules, blocks, layouts)

    def _flow_hook(self, block: FlowBlock, layout: Layout) -> FlowHook:
        return PaperHook(block, layout, self.shape, self._num_repeated(block))

    def _num_repeated(self, block: FlowBlock) -> int:
        """How many of a folded clip's last frames before a block only repeat the last flow."""
        blocks = [self.blocks[place] for place in self.network.places() if place in self.blocks]
        return sum(earlier.num_flows for earlier in blocks[: blocks.index(block)] if earlier.replaces_features)

    def _check_num_segments(self, blocks: dict[str, tuple[FlowBlock, Layout]]) -> None:
        """Check that clips of ``num_segments`` frames are long enough for the blocks, given by their modules.

        Raises:
            ValueError: If too few frames would be left before a block, or the network takes no clips at all.
        """
        given, longest = self.num_segments, self.num_segments + MAX_SHORTAGE
        problem = self._first_shortage(given, blocks)
        if problem is None:
            return
        # What does not come right with many frames more has another cause than their number.
        lasting = self._first_shortage(longest, blocks)
        if lasting is not None:
            raise ValueError(f'no clips of {given} to {longest} frames suit the flow blocks: {lasting}')
        least = next(n for n in range(given + 1, longest + 1) if self._first_shortage(n, blocks) is None)
        raise ValueError(f'num_segments must be > {least - 1} for the flow blocks, got {given}: {problem}')

    def _first_shortage(self, num_segments: int, blocks: dict[str, tuple[FlowBlock, Layout]]) -> str | None:
        """What is wrong at the first place where too few frames of a clip are left or none arrive, or None.

        A trial pass tells, in which a slice stands for each block.
        """
        network, places = self.network, self.network.places()
        hooks = {name: ShorteningHook(block.num_flows, layout) for name, (block, layout) in blocks.items()}
        handles = [_register(network, name, hook) for name, hook in hooks.items()]
        try:
            modules = [name for name in places.values() if name != 'input']
            trial = run_trial(network, modules, (NUM_CLIPS, network.in_channels, num_segments, *TRIAL_SIZE))
        finally:
            for handle in handles:
                handle.remove()
        for place, name in places.items():
            taken = blocks[name][0].num_flows if name in blocks else 0
            length = hooks[name].length if name in hooks else taken + bool(trial.outputs.get(name, name == 'input'))
            if length == 0 and trial.error is not None:
                return f'a trial pass ends before {place!r} ({error_line(trial.error)})'
            if length <= taken:
                return f'T = {length} after {place!r}, where T > {taken} is needed'
        return None


class PaperHook(FlowHook):
    """Forward hook of the paper's networks: T shortens for clips, and is kept for folded frames.

    No flow is computed from those frames of a folded clip that only repeat the flow of a block before.
    """

    def __init__(self, block: FlowBlock, layout: Layout, shape: ClipShape, num_repeated: int) -> None:
        super().__init__(block, layout, shape)
        self.num_repeated = num_repeated

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        """What the network gets in place of ``output``."""
        clips = self.layout.to_clips(output, self.shape)  # (N, C, T, H, W)
        if self.shape.is_folded:
            length = clips.shape[2]
            flow = self.block.flow(clips[:, :, : length - self.num_repeated])
            flow = self.block.join(clips, repeat_last(flow, length))
        else:
            flow = self.block(clips)
        return self.layout.from_clips(flow, output, self.shape)


class ShorteningHook:
    """Forward hook of a trial pass: leaves out as many frames as a block would, and notes how many there were."""

    def __init__(self, taken: int, layout: Layout) -> None:
        self.taken, self.layout, self.length = taken, layout, 0

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        """The output without its last frames, at least one of which is left."""
        shape = ClipShape(NUM_CLIPS)
        clips = self.layout.to_clips(output, shape)  # (N, C, T, H, W)
        self.length = clips.shape[2]
        return self.layout.from_clips(clips[:, :, : max(self.length - self.taken, 1)], output, shape)


def _register(network: nn.Module, name: str, hook: ShorteningHook) -> RemovableHandle:
    if name == 'input':
        return network.register_forward_pre_hook(InputHook(hook))
    return network.get_submodule(name).register_forward_hook(hook)

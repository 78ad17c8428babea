"""Insertion of flow blocks into a backbone: one mechanism for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mmengine.logging import MMLogger
from mmengine.model import ModuleDict
from torch import Tensor, nn

from repflow_mm.models.backbones.pretrained import averaged_over_rgb, check_pretrained
from repflow_mm.models.layers import FlowBlock

FlowConfig = dict | Sequence[dict] | None


class FlowInsertion(nn.Module):
    """Mixin of MMAction2's ResNets that can hold a flow block after any of their places.

    The places are the paper's: ``'input'`` (the RGB frames), ``'block1'`` (the stem, with its pooling), ``'block2'``
    to ``'block5'`` (``layer1`` to ``layer4``, each with the pooling that follows it). A backbone builds the blocks by
    :meth:`_insert_flow_blocks` and computes by :meth:`_walk`; the blocks are under ``flow_blocks.<place>``.
    """

    def _check_depth(self, depth: int) -> None:
        """Raise ValueError if MMAction2 has no ResNet of this depth."""
        if depth not in self.arch_settings:
            raise ValueError(f'depth must be one of {tuple(self.arch_settings)}, got {depth!r}')

    def _place_channels(self) -> dict[str, int]:
        """The places that exist and the number of channels after each, in the order of computation."""
        base_channels = self.conv1.out_channels
        widths = {f'block{i + 2}': base_channels * 2**i * self.block.expansion for i in range(len(self.res_layers))}
        return {'input': self.in_channels, 'block1': base_channels, **widths}

    def _insert_flow_blocks(self, flow: FlowConfig, num_segments: int | None) -> None:
        """Build the blocks of ``flow``, each a dict of ``after`` and :class:`FlowBlock`'s arguments.

        Raises:
            TypeError: If ``flow`` is no dict, list of dicts or None.
            ValueError: If a place does not exist or has two blocks, or a clip of ``num_segments`` frames (None:
                unknown) would have too few frames left before a block.
        """
        places = self._place_channels()
        self.flow_blocks = ModuleDict()
        for cfg in _as_list(flow):
            arguments = dict(cfg)
            after = arguments.pop('after', None)
            if after not in places:
                raise ValueError(f"flow's 'after' must be one of {tuple(places)} in this backbone, got {after!r}")
            if after in self.flow_blocks:
                raise ValueError(f"flow has two blocks after {after!r}; for flow of flow use one block's 'steps'")
            if after == 'input':
                arguments.setdefault('act_cfg', None)  # RGB has negative values, which a ReLU would cut
            self.flow_blocks[after] = FlowBlock(places[after], **arguments)
        if num_segments is not None:
            self._check_num_segments(num_segments)

    def _check_num_segments(self, num_segments: int) -> None:
        problem = self._first_shortage(num_segments)
        if problem is not None:
            least = num_segments + 1
            while self._first_shortage(least) is not None:
                least += 1
            raise ValueError(f'num_segments must be > {least - 1} for the flow blocks, got {num_segments}: {problem}')

    def _first_shortage(self, num_segments: int) -> str | None:
        """What is wrong at the first place where too few frames of a clip are left, or None."""
        length = num_segments
        for place in self._place_channels():
            length = self._length_after(place, length)
            taken = self.flow_blocks[place].num_flows if place in self.flow_blocks else 0
            if length <= taken:
                return f'T = {max(length, 0)} after {place!r}, where T > {taken} is needed'
            length -= taken
        return None

    def _length_after(self, place: str, length: int) -> int:
        """T after a place, before its flow block, of ``length`` frames that enter the place."""
        return length

    def init_weights(self, *args, **kwargs) -> None:
        """Initialise the ResNet, from ``pretrained`` if given, and the flow blocks."""
        super().init_weights(*args, **kwargs)
        for block in self.flow_blocks.values():
            block.init_weights()

    def train(self, mode: bool = True) -> FlowInsertion:
        """Set the mode as MMAction2's ResNet does, and return self."""
        super().train(mode)
        return self

    def _load_checked(self, load: Callable[[MMLogger], None], logger: MMLogger) -> None:
        """Load torchvision's weights at ``pretrained`` by ``load``, after a check; log what they do not cover.

        With another number of input channels than RGB's, the first convolution gets its mean over RGB in each.
        """
        logger.info(check_pretrained(self, self.pretrained))
        with averaged_over_rgb(self, self.pretrained):
            load(logger)

    def _walk(self, x: Tensor, flow_after: Callable[[str, Tensor], Tensor]) -> Iterator[Tensor]:
        """Compute the places in order and yield what follows each residual stage and its flow block.

        Args:
            x (Tensor): What the stem takes.
            flow_after (Callable): Applies the flow block after a place, if there is one, to the place's features.
        """
        x = flow_after('input', x)
        x = flow_after('block1', self._stem(x))
        for i in range(len(self.res_layers)):
            x = flow_after(f'block{i + 2}', self._stage(i, x))
            yield x

    def _stem(self, x: Tensor) -> Tensor:
        """Block 1: the first convolution and its pooling."""
        return self.maxpool(self.conv1(x))

    def _stage(self, index: int, x: Tensor) -> Tensor:
        """A residual stage, with what else belongs to its place."""
        return getattr(self, self.res_layers[index])(x)

    def _select(self, stages: Iterator[Tensor]) -> Tensor | tuple[Tensor, ...]:
        """The stages ``out_indices``: a tuple if there are several."""
        outs = tuple(x for i, x in enumerate(stages) if i in self.out_indices)
        return outs[0] if len(outs) == 1 else outs


def _as_list(flow: FlowConfig) -> list[dict]:
    """``flow`` as a list of dicts; raises TypeError if it is none of the allowed forms."""
    blocks = [] if flow is None else [flow] if isinstance(flow, dict) else flow
    if not isinstance(blocks, (list, tuple)) or not all(isinstance(block, dict) for block in blocks):
        raise TypeError(f'flow must be None, a dict or a list of dicts, got {flow!r}')
    return list(blocks)

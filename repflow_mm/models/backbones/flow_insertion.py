"""Insertion of flow blocks into a backbone: one mechanism for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmengine.model import ModuleDict
from torch import Tensor, nn

from repflow_mm.models.layers import FlowBlock

FlowConfig = dict | Sequence[dict] | None


class FlowInsertion(nn.Module):
    """Mixin of backbones that can hold a flow block after any of their places.

    The places are the paper's: ``'input'`` (the RGB frames), ``'block1'`` (the stem, with its pooling), ``'block2'``
    to ``'block5'`` (``layer1`` to ``layer4``). A backbone tells its places by :meth:`_place_channels` and calls
    :meth:`_flow_after` once it has computed one.
    """

    def _place_channels(self) -> dict[str, int]:
        """The places that exist and the number of channels after each, in the order of computation."""
        expansion = self.block.expansion
        widths = {f'block{i + 2}': 64 * 2**i * expansion for i in range(len(self.res_layers))}
        return {'input': self.in_channels, 'block1': 64, **widths}

    def _insert_flow_blocks(self, flow: FlowConfig) -> None:
        """Build the blocks of ``flow``, each a dict of ``after`` and :class:`FlowBlock`'s arguments."""
        places = self._place_channels()
        self.flow_blocks = ModuleDict()
        for cfg in _as_list(flow):
            arguments = dict(cfg)
            after = arguments.pop('after', None)
            if after not in places:
                raise ValueError(f"flow's 'after' must be one of {tuple(places)} in this backbone, got {after!r}")
            if after in self.flow_blocks:
                raise ValueError(f"flow has two blocks after {after!r}; for flow of flow use one block's 'stages'")
            if after == 'input':
                arguments.setdefault('act_cfg', None)  # RGB has negative values, which a ReLU would cut
            self.flow_blocks[after] = FlowBlock(places[after], **arguments)

    @property
    def num_flows(self) -> int:
        """How many frames the flow blocks take from a clip."""
        return sum(block.num_flows for block in self.flow_blocks.values())

    def _flow_after(self, place: str, frames: Tensor, num_frames: int, keep_frames: bool) -> tuple[Tensor, int]:
        """Pass (N*T, C, H, W) through the block after ``place``, if there is one; returns it and the new T."""
        if place not in self.flow_blocks:
            return frames, num_frames
        return self.flow_blocks[place](frames, num_frames, keep_frames)

    def _res_places(self) -> Iterator[tuple[str, nn.Module]]:
        """The residual stages with the names of their places."""
        for i, name in enumerate(self.res_layers):
            yield f'block{i + 2}', getattr(self, name)


def _as_list(flow: FlowConfig) -> list[dict]:
    """``flow`` as a list of dicts; raises TypeError if it is none of the allowed forms."""
    blocks = [] if flow is None else [flow] if isinstance(flow, dict) else flow
    if not isinstance(blocks, (list, tuple)) or not all(isinstance(block, dict) for block in blocks):
        raise TypeError(f'flow must be None, a dict or a list of dicts, got {flow!r}')
    return list(blocks)

"""Whole networks: what the flow block adds to the RGB network, and what a forward pass computes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import nn

from benchmarks.parts import Part
from repflow_mm.markdown import markdown_table
from repflow_mm.models import RepFlowResNet
from repflow_mm.models.summary import count_parameters
from repflow_mm.testing.timing import seconds_of, summary

REP_FLOW = dict(after='block3', channels=32, num_iters=20)
FCF = dict(**REP_FLOW, steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add')
FLOWS = {'RGB': None, 'RepFlow': REP_FLOW, 'FcF': FCF}

# name: depth, frames, height and width
SETTINGS = {'R34 16×112': (34, 16, 112), 'R50 32×224': (50, 32, 224)}


class WithoutFlow(nn.Module):
    """A RepFlow network whose block hands on all frames but the last ones, instead of their flow.

    It does everything that the RepFlow network does but the block, on the same number of frames, so the difference
    between the two is the block's own cost.
    """

    def __init__(self, backbone: RepFlowResNet) -> None:
        super().__init__()
        self.backbone = backbone
        for block in backbone.flow_blocks.values():
            block.forward = _drop_frames(block.num_flows)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of clips (N, C, T, H, W)."""
        return self.backbone(x)


def _drop_frames(count: int):
    def forward(clips):
        return clips[:, :, : clips.shape[2] - count]  # (N, C, T, H, W)

    return forward


def measure_models(setting: str, device: str, repeats: int, backward: bool = False) -> list[dict]:
    """Time one clip through the RGB, RepFlow and FcF networks of a setting, in turn.

    Args:
        setting (str): A key of ``SETTINGS``.
        device (str): Where to run.
        repeats (int): How often.
        backward (bool): Whether to time a training step's forward and backward instead. Defaults to False.

    Returns:
        list[dict]: For each network its name, parameters and seconds; the row 'RGB, T - 1' is the RGB network on the
        frames that RepFlow leaves after its block.
    """
    depth, frames, size = SETTINGS[setting]
    x = torch.rand(1, 3, frames, size, size, device=device)
    networks = {name: build_network(depth, frames, flow, device) for name, flow in FLOWS.items()}
    networks['RGB, T - 1'] = WithoutFlow(build_network(depth, frames, REP_FLOW, device))
    calls = {name: _call(network, x, backward) for name, network in networks.items()}
    seconds = seconds_of(calls, repeats, device)
    return [
        dict(
            setting=setting,
            name=name,
            parameters=count_parameters(network),
            backward=backward,
            seconds=summary(seconds[name]),
        )
        for name, network in networks.items()
    ]


def model_table(results: Sequence[dict]) -> str:
    """The results as a Markdown table, with the overhead over RGB by the shortest times."""
    header = ('setting', 'pass', 'network', 'parameters', 'ms a clip', 'over RGB')
    rows = []
    for row in results:
        base = next(
            r for r in results if (r['name'], r['setting'], r['backward']) == ('RGB', row['setting'], row['backward'])
        )
        overhead = 100 * (row['seconds']['min'] / base['seconds']['min'] - 1)
        kind = 'forward + backward' if row['backward'] else 'forward'
        cells = (row['setting'], kind, row['name'], f'{row["parameters"]:,}', f'{1e3 * row["seconds"]["min"]:.0f}')
        rows.append((*cells, f'{overhead:+.1f} %'))
    return markdown_table(header, rows)


def build_network(depth: int, frames: int, flow: dict | None, device: str, in_channels: int = 3) -> nn.Module:
    """A backbone with random weights for clips (N, in_channels, frames, H, W), in evaluation mode."""
    torch.manual_seed(0)
    return RepFlowResNet(depth, num_segments=frames, flow=flow, in_channels=in_channels).to(device).eval()


def _call(network: nn.Module, x: torch.Tensor, backward: bool):
    def infer():
        with torch.no_grad():
            network(x)

    def train():
        network.zero_grad()
        network(x).sum().backward()

    return train if backward else infer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--backward', action='store_true', help='time the backward passes too')


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Time the networks of every setting."""
    passes = (False, True) if args.backward else (False,)
    results = [
        row for setting in SETTINGS for b in passes for row in measure_models(setting, args.device, args.repeats, b)
    ]
    return results, model_table(results)


PARTS = {'models': Part('what the flow block adds to whole networks', add_arguments, run)}

"""Flow blocks in MMAction2's backbones: what they add, and whether the network starts as without them."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from benchmarks.parts import Part
from repflow_mm.markdown import markdown_table, write_sections
from repflow_mm.models.insertion import FlowHook
from repflow_mm.models.summary import count_parameters

FLOW = dict(channels=32, num_iters=20, fusion='add', zero_init_norm=True)
FRAMES, CLIP = (8, 3, 224, 224), (1, 3, 8, 224, 224)
TSM = dict(num_segments=8, pretrained2d=False)
SLOW = dict(conv1_kernel=(1, 7, 7), conv1_stride_t=1, pool1_stride_t=1, inflate=(0, 0, 1, 1))
FAST = dict(base_channels=8, conv1_kernel=(5, 7, 7), conv1_stride_t=1, pool1_stride_t=1)
SLOWFAST = dict(
    type='ResNet3dSlowFast',
    resample_rate=4,
    speed_ratio=4,
    slow_pathway=dict(type='resnet3d', depth=50, pretrained=None, lateral=True, **SLOW),
    fast_pathway=dict(type='resnet3d', depth=50, pretrained=None, lateral=False, **FAST),
)

# Backbone, as MMAction2's configs have it, the module before the block, and the shape of one clip.
BACKBONES = {
    'ResNet-50': (dict(type='ResNet', depth=50), 'layer2', FRAMES),
    'ResNetTSM-50': (dict(type='ResNetTSM', depth=50, **TSM), 'layer2', FRAMES),
    'ResNetTIN-50': (dict(type='ResNetTIN', depth=50, **TSM), 'layer2', FRAMES),
    'TANet-50': (dict(type='TANet', depth=50, num_segments=8), 'layer2', FRAMES),
    'MobileNetV2TSM': (dict(type='MobileNetV2TSM', **TSM), 'layer3', FRAMES),
    'timm.resnet50': (dict(type='timm.resnet50'), 'layer2', FRAMES),
    'timm.vit_base_patch16_224': (dict(type='timm.vit_base_patch16_224'), 'blocks.5', FRAMES),
    'mmpretrain.ResNet-50': (dict(type='mmpretrain.ResNet', depth=50), 'layer2', FRAMES),
    'C2D-50': (dict(type='C2D', depth=50), 'layer2', CLIP),
    'ResNet3d-50': (dict(type='ResNet3d', depth=50, pretrained=None), 'layer2', (1, 3, 32, 224, 224)),
    'ResNet3dSlowOnly-50': (
        dict(type='ResNet3dSlowOnly', depth=50, pretrained=None, lateral=False, **SLOW),
        'layer2',
        CLIP,
    ),
    'ResNet3dSlowFast-50, slow': (SLOWFAST, 'slow_path.layer2', (1, 3, 32, 224, 224)),
    'ResNet3dSlowFast-50, fast': (SLOWFAST, 'fast_path.layer2', (1, 3, 32, 224, 224)),
    'ResNet3dCSN-50': (
        dict(type='ResNet3dCSN', depth=50, pretrained=None, pretrained2d=False, with_pool2=False),
        'layer2',
        (1, 3, 32, 224, 224),
    ),
    'ResNet2Plus1d-34': (
        dict(
            type='ResNet2Plus1d',
            depth=34,
            pretrained=None,
            pretrained2d=False,
            conv_cfg=dict(type='Conv2plus1d'),
            conv1_kernel=(3, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(1, 1, 1, 1),
        ),
        'layer2',
        CLIP,
    ),
    'C3D': (dict(type='C3D'), 'pool2', (1, 3, 16, 112, 112)),
    'X3D-S': (dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2), 'layer2', (1, 3, 13, 160, 160)),
    'SwinTransformer3D-T': (
        dict(type='SwinTransformer3D', arch='tiny', pretrained2d=False),
        'layers.1',
        (1, 3, 32, 224, 224),
    ),
    'UniFormer-S': (dict(type='UniFormer', depth=[3, 4, 8, 3], pretrained2d=False), 'blocks2.3', (1, 3, 16, 224, 224)),
    'UniFormerV2-B': (dict(type='UniFormerV2', clip_pretrained=False), 'transformer.resblocks.5', CLIP),
    'MViT-S': (dict(type='MViT', arch='small'), 'blocks.2', (1, 3, 16, 224, 224)),
    'TimeSformer-B': (
        dict(type='TimeSformer', num_frames=8, img_size=224, patch_size=16),
        'transformer_layers.layers.5',
        CLIP,
    ),
    'VisionTransformer-B (VideoMAE)': (dict(type='VisionTransformer'), 'blocks.5', (1, 3, 16, 224, 224)),
}
SECTION = 'backbones'


def measure_backbone(name: str, device: str, repeats: int) -> dict:
    """One clip through a backbone with random weights, without flow and with it.

    Args:
        name (str): A key of ``BACKBONES``.
        device (str): Where to run.
        repeats (int): How often the network with flow is timed.

    Returns:
        dict: ``name``, ``after``, ``layout``, ``features`` (C, T, H, W before the block), ``added`` parameters,
        ``share`` of the network's, ``exact``, whether both put out the same, and ``seconds``: of every pass that of the
        whole network (``total``) and of the block, with what changes the features' layout (``block``); or ``name``,
        ``after`` and ``reason``, if the backbone cannot run here.
    """
    cfg, after, shape = BACKBONES[name]
    x = torch.randn(shape, device=device, generator=torch.Generator(device).manual_seed(0))
    try:
        plain, network = _build_both(cfg, after, shape, device)
        seen = _observe(network, after)
        with torch.no_grad():
            exact = all(torch.equal(a, b) for a, b in zip(_tensors(plain(x)), _tensors(network(x))))
    except (ImportError, ValueError) as error:
        return dict(name=name, after=after, reason=str(error).splitlines()[0])
    parameters = count_parameters(plain)
    added = count_parameters(network) - parameters
    row = dict(name=name, after=after, **seen, added=added, share=added / parameters, exact=exact)
    return dict(row, seconds=_time(network, after, x, repeats))


def _build_both(cfg: dict, after: str, shape: Sequence[int], device: str) -> tuple[nn.Module, nn.Module]:
    """The network without flow and the one with it, with the same weights, in evaluation mode."""
    init_default_scope('mmaction')
    num_segments = shape[0] if len(shape) == 4 else None
    arguments = dict(type='WithFlow', num_segments=num_segments)
    plain, network = (
        MODELS.build(dict(arguments, backbone=copy.deepcopy(cfg), flow=flow)).to(device)
        for flow in (None, dict(FLOW, after=after))
    )
    network.load_state_dict(plain.state_dict(), strict=False)
    for model in (plain, network):
        model.train(False)
    return plain, network


def _observe(network: nn.Module, after: str) -> dict:
    """The block's layout now, and the shape of its features (C, T, H, W) as soon as it has run."""
    hooks = network.get_submodule(after)._forward_hooks.values()
    layout = next(hook.layout for hook in hooks if isinstance(hook, FlowHook))
    seen = dict(layout=type(layout).__name__)

    def note(module: nn.Module, args: tuple) -> None:
        seen['features'] = list(args[0].shape[1:])

    network.flow_blocks[after.replace('.', '_')].register_forward_pre_hook(note)
    return seen


def _time(network: nn.Module, after: str, x: Tensor, repeats: int) -> dict[str, list[float]]:
    """Seconds of passes: of the whole network, and between the module before the block and what the block hands on.

    Both are of the same pass, so that whatever else the machine does concerns both.
    """
    marks = []

    def mark(*_) -> None:
        if x.is_cuda:
            torch.cuda.synchronize(x.device)
        marks.append(perf_counter())

    module = network.get_submodule(after)
    handles = [module.register_forward_hook(mark, prepend=True), module.register_forward_hook(mark)]
    seconds = dict(total=[], block=[])
    with torch.no_grad():
        for _ in range(repeats):
            marks.clear()
            mark()
            network(x)
            mark()
            seconds['total'].append(marks[3] - marks[0])
            seconds['block'].append(marks[2] - marks[1])
    for handle in handles:
        handle.remove()
    return seconds


def _tensors(output) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else [x for item in output for x in _tensors(item)]


def backbone_table(rows: Sequence[dict]) -> str:
    """The results as a Markdown table; added time is the median over the passes."""
    header = ('backbone', 'after', 'layout', 'C × T × H × W', 'added parameters', 'added time', 'exact at start')
    return markdown_table(header, [_cells(row) for row in rows])


def _cells(row: dict) -> tuple[str, ...]:
    if 'reason' in row:
        return (row['name'], f'`{row["after"]}`', *['not run'] * 5)
    passes = zip(row['seconds']['total'], row['seconds']['block'])
    added = 100 * median(block / (total - block) for total, block in passes)
    features = ' × '.join(str(size) for size in row['features'])
    parameters = f'{row["added"]:,} ({100 * row["share"]:.2f} %)'
    exact = 'yes' if row['exact'] else 'no'
    return (row['name'], f'`{row["after"]}`', row['layout'], features, parameters, f'{added:+.1f} %', exact)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--only', nargs='+', choices=BACKBONES, metavar='NAME', help='these backbones alone')
    parser.add_argument(
        '--write-docs', type=Path, metavar='FILE', help='put the table into this page, docs/backbones.md'
    )


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Measure the backbones."""
    rows = [measure_backbone(name, args.device, args.repeats) for name in args.only or BACKBONES]
    table = backbone_table(rows)
    reasons = [f'{row["name"]}: {row["reason"]}' for row in rows if 'reason' in row]
    if args.write_docs:
        write_sections(args.write_docs, {SECTION: table.splitlines()})
    return rows, '\n'.join([table, '', *reasons])


PARTS = {'backbones': Part("what a flow block adds to MMAction2's backbones", add_arguments, run)}

"""What a clip costs: RGB, TV-L1 flow and two-stream networks, and representation flow, measured in one run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.models import FCF, REP_FLOW, build_network
from benchmarks.parts import Part
from benchmarks.tvl1 import check_tvl1, tvl1_backend
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.markdown import markdown_table
from repflow_mm.models.summary import count_parameters
from repflow_mm.ops import rep_flow, tvl1_flow
from repflow_mm.ops.image_pairs import grey
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.profiling.operations import network_operations
from repflow_mm.testing.opencv_tvl1 import opencv_flow
from repflow_mm.testing.parity import CASES, check_parity
from repflow_mm.testing.timing import peak_bytes, seconds_of, summary

DEPTHS = (18, 34, 50, 101, 152)
# FcF takes two frames away; the map after block 3 has an eighth of the side, and a flow needs two pixels.
MIN_FRAMES, MIN_SIZE = 3, 16

OPENCV, OURS = 'TV-L1 by OpenCV', 'TV-L1 by tvl1_flow'
RGB_NETWORK, FLOW_NETWORK = 'RGB network', 'flow network'
REPFLOW_NETWORK, FCF_NETWORK = 'RepFlow network', 'FcF network'

# Name of a row: what runs for it, one after the other; a flow network takes the flow before it.
ROWS = {
    'RGB': (RGB_NETWORK,),
    f'flow, {OPENCV}': (OPENCV, FLOW_NETWORK),
    f'flow, {OURS}': (OURS, FLOW_NETWORK),
    f'RGB + flow, {OPENCV}': (OPENCV, FLOW_NETWORK, RGB_NETWORK),
    f'RGB + flow, {OURS}': (OURS, FLOW_NETWORK, RGB_NETWORK),
    'RepFlow': (REPFLOW_NETWORK,),
    'FcF': (FCF_NETWORK,),
}


@dataclass(frozen=True)
class Setting:
    """One clip of ``frames`` frames of ``size`` x ``size`` pixels, and the depth of every ResNet.

    Raises:
        ValueError: If a value is out of range.
    """

    depth: int = 34
    frames: int = 16
    size: int = 112

    def __post_init__(self):
        if self.depth not in DEPTHS:
            raise ValueError(f'depth must be one of {", ".join(map(str, DEPTHS))}, got {self.depth}')
        if self.frames < MIN_FRAMES:
            raise ValueError(f'frames must be >= {MIN_FRAMES}, got {self.frames}')
        if self.size < MIN_SIZE or self.size % 2:
            raise ValueError(f'size must be even and >= {MIN_SIZE}, got {self.size}')

    @property
    def clip_options(self) -> MotionClipOptions:
        """Textures that move: how long TV-L1 takes depends on what it sees."""
        return MotionClipOptions(train=1, val=1, size=self.size, length=self.frames, num_distractors=3)

    def draw_frames(self) -> Tensor:
        """The clip: (T, 3, H, W), uint8, red, green and blue."""
        frames = render_clip(self.clip_options, 'train', 0)  # (T, H, W, 3), blue first
        return torch.from_numpy(frames[..., ::-1].copy()).permute(0, 3, 1, 2)  # -> (T, 3, H, W)


class Parts(NamedTuple):
    """What runs: ``flows`` compute the flow network's input from the frames; every network has its input."""

    flows: dict[str, Callable[[], Tensor]]
    networks: dict[str, nn.Module]
    inputs: dict[str, Tensor]

    def run(self, names: Sequence[str]) -> list[Tensor]:
        """Run the named parts in order, and return what the networks return."""
        outputs, flow = [], None
        with torch.no_grad():
            for name in names:
                if name in self.flows:
                    flow = self.flows[name]()
                else:
                    outputs.append(self.networks[name](self.inputs[name] if flow is None else flow))
                    flow = None
        return outputs


def build_parts(setting: Setting, device: str) -> Parts:
    """The solvers, the networks and their inputs for the clip of a setting, on a device."""
    frames = setting.draw_frames().to(device)
    clip = (frames.float() / 127.5 - 1).transpose(0, 1)[None].contiguous()  # (T, 3, H, W) -> (1, 3, T, H, W)
    solvers = {OPENCV: _opencv_on(device), OURS: tvl1_flow}
    flows = {name: lambda solve=solve: flow_clip(frames, solve) for name, solve in solvers.items()}
    sizes = setting.depth, setting.frames
    networks = {
        RGB_NETWORK: build_network(*sizes, None, device),
        FLOW_NETWORK: build_network(setting.depth, setting.frames - 1, None, device, in_channels=2),
        REPFLOW_NETWORK: build_network(*sizes, REP_FLOW, device),
        FCF_NETWORK: build_network(*sizes, FCF, device),
    }
    inputs = {**dict.fromkeys(networks, clip), FLOW_NETWORK: flows[OURS]()}
    return Parts(flows, networks, inputs)


def flow_clip(frames: Tensor, solve: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Flow between neighbouring frames (T, 3, H, W), uint8, as the clip of a flow network: (1, 2, T-1, H, W)."""
    u = solve(*grey_pairs(frames))  # (T-1, 2, H, W)
    return u.transpose(0, 1)[None].contiguous()  # -> (1, 2, T-1, H, W)


def grey_pairs(frames: Tensor) -> tuple[Tensor, Tensor]:
    """First and second images, (T-1, 1, H, W), uint8, of the pairs of neighbouring frames (T, 3, H, W)."""
    images = grey(frames).round().to(torch.uint8)
    return images[:-1], images[1:]


def _opencv_on(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    """OpenCV's flow on the CPU, from and to a device."""
    return lambda prev, following: opencv_flow(prev.cpu(), following.cpu()).to(device)


def measure_costs(setting: Setting, device: str, repeats: int, progress: str | None = None) -> list[dict]:
    """Cost of one clip for every row of ``ROWS``.

    Every solver and network is timed on its own, in turn; a row's time is the sum of its parts' in the same turn.

    Args:
        setting (Setting): Clip and depth.
        device (str): Where to run; OpenCV runs on the CPU.
        repeats (int): Measurements of each part.
        progress (str, optional): Title of a progress bar. Defaults to None, which shows none.

    Returns:
        list[dict]: For each row ``name``; ``seconds``, ``flow_seconds`` (None without a flow solver before the
        network) and ``network_seconds``: min, median, max; ``peak_bytes`` beyond weights and input frames;
        ``parameters``; ``operations`` of the networks' convolutions and matrix products, and ``flow_operations`` of
        their representation flow layers, see :func:`network_operations`. TV-L1's operations are not counted.
    """
    parts = build_parts(setting, device)
    calls = {name: lambda name=name: parts.run([name]) for name in (*parts.flows, *parts.networks)}
    seconds = seconds_of(calls, repeats, device, progress)
    rows = []
    for row, names in ROWS.items():
        flows = [name for name in names if name in parts.flows]
        networks = [name for name in names if name in parts.networks]
        counts = [network_operations(parts.networks[name], parts.inputs[name].shape) for name in networks]
        rows.append(
            dict(
                name=row,
                seconds=_summed(seconds, names),
                flow_seconds=_summed(seconds, flows) if flows else None,
                network_seconds=_summed(seconds, networks),
                peak_bytes=peak_bytes(lambda names=names: parts.run(names), device),
                parameters=sum(count_parameters(parts.networks[name]) for name in networks),
                operations=sum(outside for outside, _ in counts),
                flow_operations=sum(inside for _, inside in counts),
            )
        )
    return rows


def _summed(seconds: dict[str, list[float]], names: Sequence[str]) -> dict[str, float]:
    """Summary of the sums of several parts' times, turn by turn."""
    return summary([sum(turn) for turn in zip(*(seconds[name] for name in names))])


def cost_table(rows: Sequence[dict]) -> str:
    """The rows as a Markdown table, with the ratio to RGB by the shortest times."""
    base = rows[0]['seconds']['min']
    header = ('model', 'ms a clip', 'median', 'over RGB', 'flow, ms', 'network, ms', 'peak memory, MB', 'parameters')
    lines = []
    for row in rows:
        best = row['seconds']['min']
        lines.append(
            (
                row['name'],
                f'{1e3 * best:.1f}',
                f'{1e3 * row["seconds"]["median"]:.1f}',
                f'{best / base:.2f}×',
                f'{1e3 * row["flow_seconds"]["min"]:.1f}' if row['flow_seconds'] else '–',
                f'{1e3 * row["network_seconds"]["min"]:.1f}',
                f'{row["peak_bytes"] / 1e6:.1f}',
                f'{row["parameters"]:,}',
                f'{row["operations"] / 1e9:.3g}',
                f'{row["flow_operations"] / 1e9:.3g}' if row['flow_operations'] else '–',
            )
        )
    return markdown_table((*header, 'network, GFLOP', 'flow layers, GFLOP'), lines)


def memory_note(device: str) -> str:
    """What the table's column of memory is."""
    if torch.device(device).type == 'cuda':
        return "peak memory: the CUDA allocator's maximum during a clip, beyond weights and input"
    return (
        'peak memory: the most that torch had allocated at one time during a clip, by its profiler, beyond weights and '
        "input; without what OpenCV and the C kernel take for a pair's working planes"
    )


def check_backends(device: str) -> None:
    """Raise ValueError unless the flow solvers that are timed compute what the reference does."""
    check_tvl1(tvl1_backend(device), device)
    check_parity(rep_flow, CASES[0], device)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--depth', type=int, default=34, help=f'depth of the ResNets: {DEPTHS} (default: 34)')
    parser.add_argument('--frames', type=int, default=16, help='frames of the clip (default: 16)')
    parser.add_argument('--size', type=int, default=112, help='side of the frames in pixels (default: 112)')


def run(args: argparse.Namespace) -> tuple[dict, str]:
    """Check and measure one setting."""
    setting = Setting(args.depth, args.frames, args.size)
    check_backends(args.device)
    tvl1 = dict(asdict(TVL1Parameters()), backend=tvl1_backend(args.device))
    rows = measure_costs(setting, args.device, args.repeats, progress='measuring')
    clip = f'ResNet-{setting.depth} without head, one clip of {setting.frames}×{setting.size}×{setting.size}'
    text = f'{clip}; times: shortest of {args.repeats}\n\n{cost_table(rows)}\n\n'
    text += f'tvl1_flow: backend {tvl1["backend"]!r}; {memory_note(args.device)}'
    return dict(setting=asdict(setting), clip=asdict(setting.clip_options), tvl1=tvl1, rows=rows), text


PARTS = {'cost': Part('what one clip costs: RGB, TV-L1 flow, two streams, RepFlow and FcF', add_arguments, run)}

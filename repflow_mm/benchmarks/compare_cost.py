"""What a clip costs: RGB, TV-L1 flow and two-stream networks, and representation flow, measured in one run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from repflow_mm.benchmarks.compare_tvl1 import check_tvl1, opencv_flow, tvl1_backend
from repflow_mm.benchmarks.models import FCF, REP_FLOW, build_network, count_parameters
from repflow_mm.benchmarks.operations import most_tvl1_work, network_operations, tvl1_operations
from repflow_mm.benchmarks.report import hardware, write_results
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.ops import rep_flow, tvl1_flow
from repflow_mm.ops.image_pairs import grey
from repflow_mm.ops.tvl1 import count_tvl1_work
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
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
        ``parameters``; and ``operations``, see :func:`count_row`.
    """
    parts = build_parts(setting, device)
    calls = {name: lambda name=name: parts.run([name]) for name in (*parts.flows, *parts.networks)}
    seconds = seconds_of(calls, repeats, device, progress)
    solved = _solver_operations(setting, device)
    rows = []
    for row, names in ROWS.items():
        flows = [name for name in names if name in parts.flows]
        networks = [name for name in names if name in parts.networks]
        rows.append(
            dict(
                name=row,
                seconds=_summed(seconds, names),
                flow_seconds=_summed(seconds, flows) if flows else None,
                network_seconds=_summed(seconds, networks),
                peak_bytes=peak_bytes(lambda names=names: parts.run(names), device),
                parameters=sum(count_parameters(parts.networks[name]) for name in networks),
                operations=count_row(parts, names, solved),
            )
        )
    return rows


def _summed(seconds: dict[str, list[float]], names: Sequence[str]) -> dict[str, float]:
    """Summary of the sums of several parts' times, turn by turn."""
    return summary([sum(turn) for turn in zip(*(seconds[name] for name in names))])


def _solver_operations(setting: Setting, device: str) -> dict[str, int]:
    """Of TV-L1 on the clip: of the iterations that ours runs, and the most for OpenCV, which does not tell."""
    parameters = TVL1Parameters()
    most = most_tvl1_work(setting.size, setting.size, setting.frames - 1, parameters)
    work = count_tvl1_work(*grey_pairs(setting.draw_frames().to(device)), parameters)
    return {OPENCV: tvl1_operations(most, parameters), OURS: tvl1_operations(work, parameters)}


def count_row(parts: Parts, names: Sequence[str], solved: dict[str, int]) -> dict:
    """Operations of a row: ``networks`` (convolutions and matrix products), ``solver``, and whether that is at most."""
    counts = [network_operations(parts.networks[n], parts.inputs[n].shape) for n in names if n in parts.networks]
    solver = sum(inside for _, inside in counts) + sum(solved[name] for name in names if name in parts.flows)
    return dict(networks=sum(outside for outside, _ in counts), solver=solver, solver_at_most=OPENCV in names)


def cost_table(rows: Sequence[dict]) -> str:
    """The rows as a Markdown table, with the ratio to RGB by the shortest times."""
    base = rows[0]['seconds']['min']
    lines = [
        '| model | ms a clip | median | over RGB | flow, ms | network, ms | peak memory, MB | parameters '
        '| network, GFLOP | solver, GFLOP |',
        '|---|---|---|---|---|---|---|---|---|---|',
    ]
    for row in rows:
        best, count = row['seconds']['min'], row['operations']
        solver = f'{"≤ " * count["solver_at_most"]}{count["solver"] / 1e9:.3g}' if count['solver'] else '–'
        flow = f'{1e3 * row["flow_seconds"]["min"]:.1f}' if row['flow_seconds'] else '–'
        cells = (
            row['name'],
            f'{1e3 * best:.1f}',
            f'{1e3 * row["seconds"]["median"]:.1f}',
            f'{best / base:.2f}×',
            flow,
            f'{1e3 * row["network_seconds"]["min"]:.1f}',
            f'{row["peak_bytes"] / 1e6:.1f}',
            f'{row["parameters"]:,}',
            f'{count["networks"] / 1e9:.3g}',
            solver,
        )
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


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


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/compare_cost.py``."""
    parser = argparse.ArgumentParser(
        description='Measure what one clip costs: RGB, TV-L1 flow and two-stream networks, RepFlow and FcF.'
    )
    parser.add_argument('--depth', type=int, default=34, help=f'depth of the ResNets: {DEPTHS} (default: 34)')
    parser.add_argument('--frames', type=int, default=16, help='frames of the clip (default: 16)')
    parser.add_argument('--size', type=int, default=112, help='side of the frames in pixels (default: 112)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')
    parser.add_argument('--repeats', type=int, default=5, help='measurements of each part (default: 5)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/compare_cost.json'), help='JSON file of results')
    return parser.parse_args(argv)


def compare_costs(args: argparse.Namespace, command: str, show: Callable[[str], object]) -> dict:
    """Check, measure and write as the flags say; shows the table and returns the results."""
    if args.repeats < 1:
        raise ValueError(f'repeats must be >= 1, got {args.repeats}')
    setting = Setting(args.depth, args.frames, args.size)
    _check_device(args.device)
    check_backends(args.device)
    results = dict(
        hardware=hardware(args.device),
        command=command,
        setting=asdict(setting),
        clip=asdict(setting.clip_options),
        tvl1=dict(asdict(TVL1Parameters()), backend=tvl1_backend(args.device)),
    )
    results['rows'] = measure_costs(setting, args.device, args.repeats, progress='measuring')
    write_results(args.out, results)
    clip = f'ResNet-{setting.depth} without head, one clip of {setting.frames}×{setting.size}×{setting.size}'
    show(f'{results["hardware"]}\n\n{clip}; times: shortest of {args.repeats}\n\n{cost_table(results["rows"])}\n\n')
    show(f'tvl1_flow: backend {results["tvl1"]["backend"]!r}; {memory_note(args.device)}\nresults: {args.out}\n')
    return results


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f'device {device!r} cannot be used: {str(error).splitlines()[0]}') from error


def main(argv: Sequence[str] | None = None, show: Callable[[str], object] = sys.stdout.write) -> dict:
    """Compare as the command line says; returns the results."""
    args = parse_args(argv)
    command = ' '.join(['tools/compare_cost.py', *(sys.argv[1:] if argv is None else argv)])
    try:
        return compare_costs(args, command, show)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'error: {error}')

"""The solver's backends beside the released layer and the eager reference; what computes wrongly is not timed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from benchmarks.parts import Part, positive
from repflow_mm.markdown import markdown_table
from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.backends import BACKENDS
from repflow_mm.ops.cpu.launch import cpu_arithmetic
from repflow_mm.ops.limits import arithmetic_limit, memory_limit, peak_flops
from repflow_mm.ops.reference import kernels_or_defaults, scalars_like
from repflow_mm.testing.parity import CASES, Solver, check_parity
from repflow_mm.testing.released import released_rep_flow
from repflow_mm.testing.timing import kept_bytes, kernel_seconds, seconds_of, summary


@dataclass(frozen=True)
class Problem:
    """Size of one benchmark: ``pairs`` planes of F1 and F2 for each of ``channels`` channels."""

    height: int = 28
    width: int = 28
    pairs: int = 30
    channels: int = 32
    num_iters: int = 20

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Shape of the features: two clips that hold the pairs."""
        return 2, self.channels, self.pairs // 2 + 1, self.height, self.width

    def arguments(self, device: str, dtype: torch.dtype = torch.float32) -> tuple:
        """Random features in [0, 255] and the paper's start values, all requiring gradients."""
        generator = torch.Generator().manual_seed(0)
        x = (torch.rand(self.shape, generator=generator, dtype=torch.float64) * 255).to(device, dtype)
        tensors = (x, *scalars_like(x, 0.3, 0.15, 0.25), *kernels_or_defaults(x, None, None, None))
        return (*(tensor.requires_grad_() for tensor in tensors), self.num_iters)


def solvers(device: str, with_compile: bool = True) -> dict[str, Solver]:
    """The rows of the table: the released layer, the reference, its compiled form, and the backends that can run.

    Raises:
        ValueError: If output or gradients of a backend are not those of the float64 reference.
    """
    rows = {'released layer': released_rep_flow, 'reference, eager': rep_flow_ref}
    if with_compile:
        rows['reference, torch.compile'] = torch.compile(rep_flow_ref)
    probe = torch.zeros(1, 1, 2, 4, 4, device=device)
    for name, backend in BACKENDS.items():
        if name != 'reference' and not backend.unsupported_reasons(probe):
            for case in CASES:
                check_parity(backend.solve, case, device)
            rows[name] = backend.solve
    return rows


def measure(rows: dict[str, Solver], problem: Problem, device: str, repeats: int) -> list[dict]:
    """Time forward, and forward with backward, of every row on one problem, in turn.

    Returns:
        list[dict]: For each row its name, the problem's sizes, ``forward`` and ``forward_backward`` (seconds: min,
        median, max), on a GPU the same of its kernels alone (``forward_kernels``, ``forward_backward_kernels``:
        seconds), and ``kept_bytes``, what it keeps for the backward pass beyond input and output.
    """
    arguments = problem.arguments(device)
    grad_u = torch.ones_like(rep_flow_ref(*_detached(arguments)[:-1], num_iters=0))

    def forward(solver: Solver) -> Tensor:
        with torch.no_grad():
            return solver(*arguments)

    def forward_backward(solver: Solver) -> None:
        solver(*arguments).backward(grad_u)

    calls = dict(forward=forward, forward_backward=forward_backward)
    rows_of = {key: {name: lambda f=f, s=s: f(s) for name, s in rows.items()} for key, f in calls.items()}
    times = {key: seconds_of(by_name, repeats, device) for key, by_name in rows_of.items()}
    results = []
    for name, solver in rows.items():
        row = dict(name=name, **asdict(problem), **{key: summary(times[key][name]) for key in calls})
        if torch.device(device).type == 'cuda':
            row.update({f'{key}_kernels': kernel_seconds(rows_of[key][name], device) for key in calls})
        results.append(row | dict(kept_bytes=kept_bytes(lambda s=solver: s(*arguments), device)))
    return results


def solver_table(results: Sequence[dict], baseline: str = 'released layer') -> str:
    """The results of one problem as a Markdown table, with ratios to the baseline by the shortest times."""
    base = next((row for row in results if row['name'] == baseline), None)
    on_gpu = 'forward_kernels' in results[0]
    header = ['solver']
    for title in ('forward', 'forward + backward'):
        header += [f'{title}, ms', 'faster', *(['its kernels, ms', 'faster'] if on_gpu else [])]
    header += ['kept for backward, MB', 'share']
    rows = []
    for row in results:
        cells = [row['name']]
        for key in ('forward', 'forward_backward'):
            best = row[key]['min']
            cells += [_milliseconds(best), f'{base[key]["min"] / best:.1f}×' if base else '']
            if on_gpu:
                kernels = row[f'{key}_kernels']
                cells += [_milliseconds(kernels), f'{base[f"{key}_kernels"] / kernels:.1f}×' if base else '']
        share = f'{100 * row["kept_bytes"] / base["kept_bytes"]:.2g} %' if base else ''
        rows.append([*cells, f'{row["kept_bytes"] / 1e6:.1f}', share])
    return markdown_table(header, rows)


def cpu_limit(problem: Problem, repeats: int) -> float:
    """Seconds that the arithmetic of a forward solve takes on the CPU by itself, see :func:`cpu_arithmetic`."""
    arguments = _detached(problem.arguments('cpu'))
    return min(seconds_of({'arithmetic': lambda: cpu_arithmetic(*arguments)}, repeats)['arithmetic'])


def gpu_limits(problem: Problem, properties) -> str:
    """The two limits of a forward solve on a GPU, to be read beside the measured times.

    Args:
        problem (Problem): What is solved.
        properties: What ``torch.cuda.get_device_properties`` returns.

    Returns:
        str: A sentence with both limits in milliseconds.
    """
    if not hasattr(properties, 'memory_clock_rate'):
        return f'limits of the forward pass: unknown, torch {torch.__version__} does not tell the clocks'
    # Two transfers a clock; clocks are in kHz, the bus in bits.
    bandwidth = 2 * properties.memory_clock_rate * 1e3 * properties.memory_bus_width / 8
    lanes = 64 if (properties.major, properties.minor) == (8, 0) else 128
    flops = peak_flops(properties.multi_processor_count, lanes, properties.clock_rate * 1e3)
    memory = 1e3 * memory_limit(problem.shape, bandwidth)
    arithmetic = 1e3 * arithmetic_limit(problem.shape, problem.num_iters, flops)
    return (
        f'limits of the forward pass: {memory:.4f} ms of memory traffic at {bandwidth / 1e9:.0f} GB/s, '
        f'{arithmetic:.4f} ms of arithmetic at {flops / 1e12:.1f} TFLOP/s'
    )


def scaling_problems() -> list[Problem]:
    """One factor at a time around the paper's size: map size, pairs, channels, iterations."""
    sizes = [Problem(size, size) for size in (14, 28, 56, 112)]
    return [
        *sizes,
        *(Problem(pairs=pairs) for pairs in (10, 60)),
        *(Problem(channels=channels) for channels in (8, 64)),
        *(Problem(num_iters=num_iters) for num_iters in (5, 10, 40)),
    ]


def scaling_table(results: Sequence[dict]) -> str:
    """Cost for each problem; the columns "ns" are nanoseconds a pixel, pair, channel and iteration."""
    header = ('solver', 'map', 'pairs', 'channels', 'iterations', 'forward, ms', 'ns', 'forward + backward, ms', 'ns')
    rows = []
    for row in results:
        work = row['height'] * row['width'] * row['pairs'] * row['channels'] * row['num_iters']
        cells = [row['name'], f'{row["height"]}×{row["width"]}', row['pairs'], row['channels'], row['num_iters']]
        for key in ('forward', 'forward_backward'):
            cells += [_milliseconds(row[key]['min']), f'{1e9 * row[key]["min"] / work:.3g}']
        rows.append(cells)
    return markdown_table(header, rows)


def _add_compile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--compile', action='store_true', help='add torch.compile of the reference (takes minutes)')


def _add_size_and_compile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--size', type=positive, default=28, help='height and width of the map (default: 28)')
    _add_compile(parser)


def run_size(args: argparse.Namespace) -> tuple[list[dict], str]:
    """One map size, the solvers beside each other."""
    return _timed(solvers(args.device, args.compile), Problem(args.size, args.size), args)


def run_sizes(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Four map sizes, with fewer pairs on the larger ones, where the baseline fills the memory."""
    rows = solvers(args.device, args.compile)
    parts = [_timed(rows, Problem(size, size, pairs), args) for size, pairs in ((14, 30), (28, 30), (56, 8), (112, 2))]
    return [row for part, _ in parts for row in part], '\n\n'.join(table for _, table in parts)


def run_scaling(args: argparse.Namespace) -> tuple[list[dict], str]:
    """The backends' cost as one factor varies."""
    fast = {name: solver for name, solver in solvers(args.device, False).items() if name in BACKENDS}
    results = [row for problem in scaling_problems() for row in measure(fast, problem, args.device, args.repeats)]
    return results, scaling_table(results)


def _timed(rows: dict[str, Solver], problem: Problem, args: argparse.Namespace) -> tuple[list[dict], str]:
    """One problem's measurements and their table, with what limits a forward pass on the device below it."""
    results = measure(rows, problem, args.device, args.repeats)
    text = f'{problem}\n\n{solver_table(results)}'
    if torch.device(args.device).type == 'cuda':
        text += f'\n\n{gpu_limits(problem, torch.cuda.get_device_properties(args.device))}'
    if 'cpu' in rows:
        limit = cpu_limit(problem, args.repeats)
        results.append(dict(name='arithmetic alone', **asdict(problem), forward=dict(min=limit)))
        text += f'\n\nlimit of the forward pass: {1e3 * limit:.2f} ms for its arithmetic alone'
    return results, text


PARTS = {
    'solver': Part('the solvers on one map size', _add_size_and_compile, run_size),
    'sizes': Part('the solvers on four map sizes', _add_compile, run_sizes),
    'scaling': Part("the backends' cost as one factor varies", lambda parser: None, run_scaling),
}


def _milliseconds(seconds: float) -> str:
    return f'{1e3 * seconds:.1f}' if seconds >= 1e-3 else f'{1e3 * seconds:.4f}'


def _detached(arguments: tuple) -> tuple:
    return tuple(argument.detach() if isinstance(argument, Tensor) else argument for argument in arguments)

"""Benchmark of the solver's backends against the released layer and the eager reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.backends import BACKENDS
from repflow_mm.ops.cpu.launch import cpu_arithmetic
from repflow_mm.ops.limits import arithmetic_limit, memory_limit, peak_flops
from repflow_mm.ops.reference import kernels_or_defaults, scalars_like
from repflow_mm.testing.parity import Solver
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
    """The rows of the table: the released layer, the reference, its compiled form, and the backends that can run."""
    rows = {'released layer': released_rep_flow, 'reference, eager': rep_flow_ref}
    if with_compile:
        rows['reference, torch.compile'] = torch.compile(rep_flow_ref)
    probe = torch.zeros(1, 1, 2, 4, 4, device=device)
    for name, backend in BACKENDS.items():
        if name != 'reference' and not backend.unsupported_reasons(probe):
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
    lines = ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
    for row in results:
        cells = [row['name']]
        for key in ('forward', 'forward_backward'):
            best = row[key]['min']
            cells += [_milliseconds(best), f'{base[key]["min"] / best:.1f}×' if base else '']
            if on_gpu:
                kernels = row[f'{key}_kernels']
                cells += [_milliseconds(kernels), f'{base[f"{key}_kernels"] / kernels:.1f}×' if base else '']
        share = f'{100 * row["kept_bytes"] / base["kept_bytes"]:.2g} %' if base else ''
        lines.append('| ' + ' | '.join([*cells, f'{row["kept_bytes"] / 1e6:.1f}', share]) + ' |')
    return '\n'.join(lines)


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
    lines = [
        '| solver | map | pairs | channels | iterations | forward, ms | ns | forward + backward, ms | ns |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    for row in results:
        work = row['height'] * row['width'] * row['pairs'] * row['channels'] * row['num_iters']
        cells = [row['name'], f'{row["height"]}×{row["width"]}', row['pairs'], row['channels'], row['num_iters']]
        for key in ('forward', 'forward_backward'):
            cells += [_milliseconds(row[key]['min']), f'{1e9 * row[key]["min"] / work:.3g}']
        lines.append('| ' + ' | '.join(map(str, cells)) + ' |')
    return '\n'.join(lines)


def _milliseconds(seconds: float) -> str:
    return f'{1e3 * seconds:.1f}' if seconds >= 1e-3 else f'{1e3 * seconds:.4f}'


def _detached(arguments: tuple) -> tuple:
    return tuple(argument.detach() if isinstance(argument, Tensor) else argument for argument in arguments)

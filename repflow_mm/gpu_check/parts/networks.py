"""Part: whole networks, forward and a training step, in several number formats, and what the flow block adds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

import torch

from repflow_mm.gpu_check.network_cases import (
    BF16,
    FP32,
    MODES,
    NETWORKS,
    R34,
    R50,
    REPFLOW,
    TINY,
    Mode,
    Setting,
    Trial,
    build_network,
)
from repflow_mm.gpu_check.tables import Table, milliseconds
from repflow_mm.gpu_check.timing import call_seconds
from repflow_mm.testing.timing import kernel_seconds
from repflow_mm.timed_parts.context import Context, Emit, emit_outcome

WARM_UPS, REPEATS = 3, 5
PROFILED = (FP32, BF16)
SOLVER_KERNELS = ('rep_flow_', 'frame_bwd')


def run(emit: Emit, context: Context) -> None:
    """Emit torch's settings, then a record for each network and mode."""
    emit(
        table='settings',
        tf32_convolutions=torch.backends.cudnn.allow_tf32,
        tf32_products=torch.backends.cuda.matmul.allow_tf32,
        cudnn_benchmark=torch.backends.cudnn.benchmark,
    )
    for setting in (TINY,) if context.rehearsal else (R50, R34):
        networks = {name: build_network(name, setting) for name in NETWORKS}
        for mode in MODES:
            for name in networks if mode is FP32 or not context.rehearsal else (REPFLOW,):
                network = networks[name]
                shape = dict(setting=setting.name, mode=mode.name, network=name)
                emit_outcome(emit, partial(_measure, network, setting, mode, context), table='networks', **shape)
                if context.device == 'cuda':
                    torch.cuda.empty_cache()


def _measure(network: torch.nn.Module, setting: Setting, mode: Mode, context: Context) -> dict:
    """Seconds of both passes, bytes of memory, whether the loss is finite, and the solver's share of the step."""
    trial, record = Trial(network, setting, mode, context.device), {}
    warm_ups, repeats = (0, 1) if context.rehearsal else (WARM_UPS, REPEATS)
    for name, call in trial.calls().items():
        if context.device == 'cuda':
            torch.cuda.reset_peak_memory_stats()
        record[name] = call_seconds([call], repeats, context.device, warm_ups)
        if context.device == 'cuda':
            record[f'{name}_bytes'] = torch.cuda.max_memory_allocated()
    record['ok'] = bool(trial.loss.isfinite())
    if context.device == 'cuda' and trial.mode in PROFILED:
        record['solver_seconds'] = kernel_seconds(trial.step, context.device, SOLVER_KERNELS)
    trial.optimizer.zero_grad(set_to_none=True)
    return record


def tables(records: Sequence[dict]) -> list[Table]:
    """Times of all networks, with what the block adds to the step of the network without it."""
    settings = [r for r in records if r['table'] == 'settings']
    rows = [r for r in records if r['table'] == 'networks']
    about = 'Medians. "Adds" compares the step with that of the network without flow; "solver" is its kernels alone.'
    for record in settings:
        tf32 = 'with' if record['tf32_convolutions'] else 'without'
        about += f' fp32 convolutions {tf32} TF32, as torch has it by default.'
    header = ('setting', 'mode', 'network', 'forward, ms', 'step, ms', 'adds', 'solver', 'memory of a step, GB')
    return [Table('Networks', about, header, [_row(record, rows) for record in rows])]


def _row(record: dict, records: Sequence[dict]) -> tuple:
    named = (record['setting'], record['mode'], record['network'])
    if 'step' not in record:
        return (*named, record['why'], *('–',) * 4)
    memory = f'{record["step_bytes"] / 1e9:.1f}' if 'step_bytes' in record else '–'
    times = milliseconds(record['forward']), milliseconds(record['step'])
    return (*named, *times, _added(record, records), _solver_share(record), memory)


def _added(record: dict, records: Sequence[dict]) -> str:
    """How much longer the step takes than that of the network without flow."""
    same = (r for r in records if (r['setting'], r['mode']) == (record['setting'], record['mode']) and 'step' in r)
    base = next((r['step'] for r in same if r['network'] == NETWORKS[record['network']]), None)
    return f'{100 * (statistics.median(record["step"]) / statistics.median(base) - 1):+.1f} %' if base else '–'


def _solver_share(record: dict) -> str:
    if 'solver_seconds' not in record or NETWORKS[record['network']] is None:
        return '–'
    return f'{100 * record["solver_seconds"] / statistics.median(record["step"]):.1f} %'

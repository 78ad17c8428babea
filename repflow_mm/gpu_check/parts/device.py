"""Part: which GPU it is, what it can do by its own account, and its memory's measured bandwidth."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence

import torch

from repflow_mm.gpu_check.tables import Table
from repflow_mm.gpu_check.timing import call_seconds
from repflow_mm.hardware import processors
from repflow_mm.ops.limits import peak_flops
from repflow_mm.timed_parts.context import Context, Emit

COPIED_BYTES = 2**30
REPEATS = 5


def run(emit: Emit, context: Context) -> None:
    """Emit one record of the hardware, and one of a copy's bandwidth."""
    emit(table='device', cpu=cpu_name(), **(cuda_properties() if context.device == 'cuda' else _stand_in()))
    size = COPIED_BYTES // 4 if not context.rehearsal else 2**16
    source, target = (torch.zeros(size, device=context.device) for _ in range(2))
    seconds = call_seconds([lambda: target.copy_(source)] * 3, REPEATS, context.device)
    emit(table='bandwidth', bytes_per_second=[2 * source.nbytes / second for second in seconds])


def cuda_properties() -> dict:
    """Name, driver, memory, multiprocessors and peak rates of the current CUDA device."""
    properties = torch.cuda.get_device_properties('cuda')
    return dict(
        name=properties.name,
        driver=_query('driver_version'),
        cuda=torch.version.cuda,
        capability=f'{properties.major}.{properties.minor}',
        memory_bytes=properties.total_memory,
        l2_bytes=l2_bytes(),
        multiprocessors=properties.multi_processor_count,
        clock_hz=clock_hz(),
        flops_per_second=flops_per_second(),
    )


def _stand_in() -> dict:
    return dict(name='no GPU (rehearsal)', driver='none', flops_per_second=None, clock_hz=None)


def clock_hz() -> float | None:
    """The highest clock of the multiprocessors by torch's account or nvidia-smi's; None if neither tells."""
    clock = getattr(torch.cuda.get_device_properties('cuda'), 'clock_rate', None)  # kHz
    if clock:
        return 1e3 * clock
    answer = _query('clocks.max.sm')
    return 1e6 * float(answer.split()[0]) if answer.split()[0].isdigit() else None


def flops_per_second() -> float | None:
    """Peak float32 rate, from the number of multiprocessors and their highest clock; None if that is unknown."""
    properties, clock = torch.cuda.get_device_properties('cuda'), clock_hz()
    lanes = 64 if (properties.major, properties.minor) == (8, 0) else 128
    return peak_flops(properties.multi_processor_count, lanes, clock) if clock else None


def l2_bytes() -> int:
    """Size of the L2 cache; 64 MiB, more than GPUs of today have, where torch does not tell."""
    return getattr(torch.cuda.get_device_properties('cuda'), 'L2_cache_size', 2**26)


def _query(field: str) -> str:
    """What nvidia-smi answers for the first GPU, or "unknown"."""
    if shutil.which('nvidia-smi') is None:
        return 'unknown'
    command = ['nvidia-smi', f'--query-gpu={field}', '--format=csv,noheader']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return 'unknown'
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else 'unknown'


def cpu_name() -> str:
    """The processor's name and its number of cores."""
    names = processors()
    return f'{len(names)} × {names[0]}' if names else platform.machine()


def tables(records: Sequence[dict]) -> list[Table]:
    """What the device says of itself, and the bandwidth."""
    rows = [(key, value) for r in records if r['table'] == 'device' for key, value in r.items() if key != 'table']
    for record in records:
        if record['table'] == 'bandwidth':
            rows.append(('copy, read and written, GB/s', f'{max(record["bytes_per_second"]) / 1e9:.0f}'))
    return [Table('Device', '', ('property', 'value'), rows)]

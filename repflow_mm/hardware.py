"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from repflow_mm.version import __version__


def hardware(device: str) -> dict:
    """Processor, cores, accelerator and versions."""
    record = dict(cpu=device_name('cpu'), cores=os.cpu_count(), threads=torch.get_num_threads())
    record.update(python=platform.python_version(), torch=torch.__version__, repflow_mm=__version__, device=device)
    if torch.device(device).type == 'cuda':
        record.update(gpu=device_name(device), cuda=torch.version.cuda)
    return record


def device_name(device: str) -> str:
    """What the GPU is called, or the processor; of other devices the type."""
    kind = torch.device(device).type
    if kind != 'cpu':
        return torch.cuda.get_device_name(device) if kind == 'cuda' else kind
    return next(iter(processors()), platform.processor() or platform.machine())


def processors() -> list[str]:
    """The name of each processor, as Linux tells it; none where it does not."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    return [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]

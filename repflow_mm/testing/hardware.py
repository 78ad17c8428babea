"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from repflow_mm.version import __version__


def hardware(device: str) -> dict:
    """Processor, cores, accelerator and versions."""
    cpu = next(iter(processors()), platform.processor() or platform.machine())
    record = dict(cpu=cpu, cores=os.cpu_count(), threads=torch.get_num_threads(), python=platform.python_version())
    record.update(torch=torch.__version__, repflow_mm=__version__, device=device)
    if torch.device(device).type == 'cuda':
        record.update(gpu=torch.cuda.get_device_name(device), cuda=torch.version.cuda)
    return record


def processors() -> list[str]:
    """The name of each processor, as Linux tells it; none where it does not."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    return [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]

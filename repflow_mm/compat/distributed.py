"""Distributed runs on machines without accelerator."""

from __future__ import annotations

import os

import torch

from repflow_mm.compat.patching import replace


def run_distributed_on_cpu() -> bool:
    """Let ``--launcher pytorch`` and ``slurm`` work without CUDA, with gloo (mmengine ``dist/utils.py``, no thread).

    Upstream calls ``torch.cuda.set_device`` unconditionally and gives DDP a CUDA device index.

    Returns:
        bool: Whether the workaround is in place, that is, whether no accelerator is there.
    """
    import mmengine.dist.utils as dist_utils
    from mmengine.device import get_device
    from mmengine.model import MMDistributedDataParallel

    if get_device() != 'cpu':
        return False
    dist_utils._init_dist_pytorch = _init_gloo
    dist_utils._init_dist_slurm = _init_gloo_slurm

    def make(upstream):
        def init_without_device_ids(self, module, *args, **kwargs):
            kwargs.pop('device_ids', None)
            upstream(self, module, *args, **kwargs)

        return init_without_device_ids

    replace(MMDistributedDataParallel, '__init__', make)
    return True


def _init_gloo(backend: str, init_backend: str = 'torch', **kwargs) -> None:
    """``_init_dist_pytorch`` for a machine without accelerator: gloo, whatever backend the config names."""
    torch.distributed.init_process_group(backend='gloo', **kwargs)


def _init_gloo_slurm(backend: str, port: int | None = None, init_backend: str = 'torch', **kwargs) -> None:
    """``_init_dist_slurm`` for nodes without accelerator: slurm's variables as torch's, then gloo."""
    import subprocess

    os.environ.update(
        RANK=os.environ['SLURM_PROCID'],
        WORLD_SIZE=os.environ['SLURM_NTASKS'],
        LOCAL_RANK=os.environ['SLURM_LOCALID'],
    )
    if port is not None:
        os.environ['MASTER_PORT'] = str(port)
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.check_output(('scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']), text=True)
        os.environ['MASTER_ADDR'] = hosts.split()[0]
    torch.distributed.init_process_group(backend='gloo', **kwargs)

import os

import torch

from repflow_mm.compat import distributed


def test_distributed_stays_as_it_is_with_an_accelerator(monkeypatch):
    import mmengine.device
    import mmengine.dist.utils as dist_utils

    monkeypatch.setattr(mmengine.device, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(dist_utils, '_init_dist_pytorch', upstream := object())
    assert not distributed.run_distributed_on_cpu()
    assert dist_utils._init_dist_pytorch is upstream


def test_slurm_without_accelerator_reads_slurms_variables(monkeypatch):
    started = {}
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda **kwargs: started.update(kwargs))
    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
    monkeypatch.setattr(os, 'environ', {key: value for key, value in os.environ.items() if key not in names})
    os.environ.update(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1', SLURM_NODELIST='n1', MASTER_ADDR='n1')
    distributed._init_gloo_slurm('nccl', port=29511)
    assert started == dict(backend='gloo')
    assert [os.environ[name] for name in names] == ['3', '4', '1', 'n1', '29511']

# What every experiment shares.
custom_imports = dict(imports=['repflow_mm.registration'], allow_failed_imports=False)
default_scope = 'mmaction'

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='ResumableCheckpointHook', interval=1, save_best='auto', max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    # Up to 5 % of an epoch's samples may be broken and are replaced; in testing they count as wrong (docs/data.md).
    bad_data=dict(type='BadDataHook', max_share=0.05, in_testing='wrong'),
    # Seconds that a sample may take before its data worker, or the run, is ended.
    read_watch=dict(type='ReadWatchHook', timeout=600),
)
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='InterruptionHook'),
    dict(type='FiniteNumbersHook'),
    dict(type='ResumeCheckHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='PatientLocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False

# TSM with flow on Jester, from ImageNet weights.
_base_ = [
    '../_base_/models/repflow_tsm_r50.py',
    '../_base_/datasets/jester_tsm-8x224.py',
    '../_base_/schedules/sgd_tsm_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=27))

# MMAction2's tsm_r50_1x1x8_50e_jester_rgb (0.x).
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))

# TSM with flow on Something-Something V2, from ImageNet weights.
_base_ = [
    '../_base_/models/repflow_tsm_r50.py',
    '../_base_/datasets/sthv2_tsm-8x224.py',
    '../_base_/schedules/sgd_tsm_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=174))

# MMAction2's tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv2-rgb.
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=5, by_epoch=True),
    dict(type='MultiStepLR', milestones=[25, 45], gamma=0.1, end=50, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=128)

# TSM with flow on Diving48, from ImageNet weights; trained as MMAction2's tsm_r50_video_1x1x8_50e_diving48_rgb (0.x).
_base_ = [
    '../_base_/models/repflow_tsm_r50.py',
    '../_base_/datasets/diving48_tsm-8x224.py',
    '../_base_/schedules/sgd_tsm_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=48))

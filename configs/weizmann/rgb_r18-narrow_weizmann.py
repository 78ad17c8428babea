# The RGB network: ResNet-18, a quarter as wide, on single frames, from scratch.
_base_ = [
    '../_base_/models/rgb_r18_narrow.py',
    '../_base_/datasets/weizmann_16x84.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$WEIZMANN_SPLIT:1}}'
model = dict(backbone=dict(num_segments=16), cls_head=dict(num_classes=10))
train_cfg = dict(type='ResumableEpochBasedTrainLoop')

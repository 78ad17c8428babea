# The RGB network, from scratch: ResNet-18, a quarter as wide, on single frames; clips and schedule of Tiny-Kinetics.
_base_ = [
    '../_base_/models/rgb_r18_narrow.py',
    '../_base_/datasets/ucf101_16x112.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$UCF101_SPLIT:1}}'
model = dict(backbone=dict(num_segments=16), cls_head=dict(num_classes=101))

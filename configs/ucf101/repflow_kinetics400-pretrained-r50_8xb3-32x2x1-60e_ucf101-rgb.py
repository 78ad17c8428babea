# 2D RepFlow on UCF101, fine-tuned from a Kinetics-400 checkpoint, as on HMDB51.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/datasets/ucf101_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$UCF101_SPLIT:1}}'
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=101))
# Your own, trained with configs/repflow_r50_kinetics.py.
load_from = 'checkpoints/repflow_r50_kinetics.pth'

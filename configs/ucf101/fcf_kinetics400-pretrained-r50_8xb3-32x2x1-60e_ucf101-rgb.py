# 2D FcF on UCF101, fine-tuned from a Kinetics-400 checkpoint, as on HMDB51.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/models/fcf.py',
    '../_base_/datasets/ucf101_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$UCF101_SPLIT:1}}'
model = dict(backbone=dict(pretrained=None, flow={{_base_.fcf}}), cls_head=dict(num_classes=101))
# Your own, trained with configs/kinetics/fcf_imagenet-pretrained-r50_8xb8-32x2x1-60e_kinetics400-rgb.py.
load_from = 'checkpoints/fcf_imagenet-pretrained-r50_8xb8-32x2x1-60e_kinetics400-rgb.pth'

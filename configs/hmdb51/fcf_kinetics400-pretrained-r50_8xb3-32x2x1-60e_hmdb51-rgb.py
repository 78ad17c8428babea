# 2D FcF on HMDB51, fine-tuned from a Kinetics-400 checkpoint.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/models/fcf.py',
    '../_base_/datasets/hmdb51_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(backbone=dict(flow={{_base_.fcf}}, pretrained=None), cls_head=dict(num_classes=51))
# Your own, trained with configs/kinetics/fcf_imagenet-pretrained-r50_8xb8-32x2x1-60e_kinetics400-rgb.py.
load_from = 'checkpoints/fcf_imagenet-pretrained-r50_8xb8-32x2x1-60e_kinetics400-rgb.pth'

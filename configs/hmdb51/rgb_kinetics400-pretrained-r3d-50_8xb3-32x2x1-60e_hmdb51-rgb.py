# 3D RGB on HMDB51, fine-tuned from a Kinetics-400 checkpoint.
_base_ = [
    '../_base_/models/rgb_r3d_50.py',
    '../_base_/datasets/hmdb51_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=51))
# Your own, trained with configs/kinetics/rgb_imagenet-pretrained-r3d-50_8xb8-32x2x1-60e_kinetics400-rgb.py.
load_from = 'checkpoints/rgb_imagenet-pretrained-r3d-50_8xb8-32x2x1-60e_kinetics400-rgb.pth'

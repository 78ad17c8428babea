# 2D flow CNN on HMDB51: stacks of 10 flows from disk, fine-tuned from a Kinetics-400 checkpoint.
_base_ = [
    '../_base_/models/tvl1_stacks_r50.py',
    '../_base_/datasets/hmdb51_flow-stack10_224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=51))
# Your own, trained with configs/kinetics/tvl1-stack10_imagenet-pretrained-r50_8xb8-10x1x3-60e_kinetics400-flow.py.
load_from = 'checkpoints/tvl1-stack10_imagenet-pretrained-r50_8xb8-10x1x3-60e_kinetics400-flow.pth'

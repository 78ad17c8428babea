# 3D flow CNN on HMDB51, clips of flow from disk, fine-tuned from a Kinetics-400 checkpoint.
_base_ = [
    '../_base_/models/rgb_r3d_50.py',
    '../_base_/datasets/hmdb51_flow_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(
    backbone=dict(in_channels=2, pretrained=None),
    cls_head=dict(num_classes=51),
    data_preprocessor=dict(mean=[127.5, 127.5], std=[127.5, 127.5]),
)
# Your own, trained with configs/kinetics/tvl1_imagenet-pretrained-r3d-50_8xb8-32x2x1-60e_kinetics400-flow.py.
load_from = 'checkpoints/tvl1_imagenet-pretrained-r3d-50_8xb8-32x2x1-60e_kinetics400-flow.pth'

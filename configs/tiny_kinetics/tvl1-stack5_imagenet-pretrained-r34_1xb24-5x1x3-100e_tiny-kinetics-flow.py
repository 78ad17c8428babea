# The flow CNN on flow from disk, of neighbouring frames of the video, in three stacks spread over all of it.
_base_ = [
    '../_base_/models/tvl1_stacks_r50.py',
    '../_base_/datasets/tiny_kinetics_flow-stack5_112.py',
    '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=34, in_channels=10, pretrained='https://download.pytorch.org/models/resnet34-b627a593.pth'),
    cls_head=dict(num_classes=150, in_channels=512),
)

# The RGB baseline, with the authors' settings for baselines: ImageNet weights, 100 epochs.
_base_ = [
    '../_base_/models/rgb_r34.py',
    '../_base_/datasets/tiny_kinetics_16x112.py',
    '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py',
]

# Our choice: the statistics that the ImageNet weights were trained with.
model = dict(
    backbone=dict(pretrained='https://download.pytorch.org/models/resnet34-b627a593.pth'),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)

# (2+1)D flow CNN on Kinetics-400 with nothing on disk.
_base_ = './rgb_imagenet-pretrained-r50-2plus1d_8xb8-32x2x1-60e_kinetics400-rgb.py'

model = dict(backbone=dict(in_channels=2), data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20))

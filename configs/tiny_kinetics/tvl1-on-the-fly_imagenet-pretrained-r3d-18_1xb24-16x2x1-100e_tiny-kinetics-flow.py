# The 3D flow CNN, an I3D-style flow stream: inflated ImageNet weights, averaged over RGB; flow computed on the fly.
_base_ = './rgb_imagenet-pretrained-r3d-18_1xb24-16x2x1-100e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(in_channels=2), data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20))

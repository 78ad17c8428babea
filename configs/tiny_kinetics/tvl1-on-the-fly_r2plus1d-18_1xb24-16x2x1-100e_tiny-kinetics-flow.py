# The (2+1)D flow CNN, from scratch as its RGB network; flow computed on the fly.
_base_ = './rgb_r2plus1d-18_1xb24-16x2x1-100e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(in_channels=2), data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20))

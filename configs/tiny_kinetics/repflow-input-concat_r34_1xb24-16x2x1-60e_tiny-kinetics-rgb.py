# Early fusion: RGB frames and flow concatenated, then a 1x1 convolution.
_base_ = './repflow-input_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(fusion='concat')))

# Flow after block 4 (layer3).
_base_ = './repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(after='block4')))

# (2+1)D with flow after block 1, where T is 16.
_base_ = './repflow-block3_r2plus1d-18_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(after='block1')))

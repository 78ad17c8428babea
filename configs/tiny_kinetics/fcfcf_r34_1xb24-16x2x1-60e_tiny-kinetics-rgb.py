# FcFcF: FcF with a third flow.
_base_ = './fcf_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(steps=('flow', 'conv', 'flow', 'conv', 'flow'))))

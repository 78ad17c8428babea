# Three flows with convolutions between, and nothing added to them.
_base_ = './repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(steps=('flow', 'conv', 'flow', 'conv', 'flow'))))

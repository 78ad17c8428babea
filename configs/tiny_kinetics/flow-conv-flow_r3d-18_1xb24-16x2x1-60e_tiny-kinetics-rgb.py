# 3D with flow of flow after block 3, convolutions between the flows, and nothing added.
_base_ = './repflow-block3_r3d-18_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(steps=('flow', 'conv', 'flow'))))

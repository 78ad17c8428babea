# 10 iterations, nothing learned.
_base_ = './repflow-block3-learn-nothing_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(num_iters=10)))

# 5 iterations, divergence and theta, lam, tau learned.
_base_ = './repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(num_iters=5)))

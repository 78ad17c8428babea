# 1 iteration, theta and lam learned: tau and the divergence act from the second iteration on.
_base_ = './repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(num_iters=1, learn=('theta', 'lam'))))

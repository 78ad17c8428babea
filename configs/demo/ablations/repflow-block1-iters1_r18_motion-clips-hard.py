# 1 iteration. It has no divergence and no dual step yet, so theta and lam alone are learned.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(num_iters=1, learn=('theta', 'lam'))))

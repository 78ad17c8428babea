# Flow after block 1: 16 channels, 10 iterations, divergence and theta, lam, tau learned, as on the motion clips.
_base_ = './rgb_r18-narrow_egogestar.py'

model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10, learn=('theta', 'lam', 'tau', 'div'))))

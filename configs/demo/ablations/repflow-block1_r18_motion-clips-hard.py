# Flow after block 1, 10 iterations, divergence and theta, lam, tau learned: the row that the other tables vary.
_base_ = './rgb_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10, learn=('theta', 'lam', 'tau', 'div'))))

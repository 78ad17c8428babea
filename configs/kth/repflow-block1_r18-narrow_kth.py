# Flow after block 1, as on EgoGestAR.
_base_ = './rgb_r18-narrow_kth.py'

model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10, learn=('theta', 'lam', 'tau', 'div'))))

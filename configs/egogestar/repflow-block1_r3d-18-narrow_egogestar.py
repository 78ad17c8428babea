# 3D, flow after block 1.
_base_ = './rgb_r3d-18-narrow_egogestar.py'

model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10, learn=('theta', 'lam', 'tau', 'div'))))

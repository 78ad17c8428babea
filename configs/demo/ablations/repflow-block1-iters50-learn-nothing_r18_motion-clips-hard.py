# 50 iterations, nothing learned.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(num_iters=50, learn=())))

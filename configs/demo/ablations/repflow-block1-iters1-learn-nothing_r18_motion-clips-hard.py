# 1 iteration, nothing learned.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(num_iters=1, learn=())))

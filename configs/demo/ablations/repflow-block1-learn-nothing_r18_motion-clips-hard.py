# Nothing of the solver is learned.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(learn=())))

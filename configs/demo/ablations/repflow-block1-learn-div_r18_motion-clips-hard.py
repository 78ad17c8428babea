# The taps of the flow gradient and the divergence are learned.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(learn=('div',))))

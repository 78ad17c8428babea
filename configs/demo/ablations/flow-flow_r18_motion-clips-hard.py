# Flow of flow without a convolution between.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(steps=('flow', 'flow'))))

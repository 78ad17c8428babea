# Early fusion: flow concatenated with the features.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(fusion='concat')))

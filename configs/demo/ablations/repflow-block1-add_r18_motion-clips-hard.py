# Early fusion: flow added to the features.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(fusion='add')))

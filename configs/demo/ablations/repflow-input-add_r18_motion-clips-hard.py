# Early fusion on the input: flow added to the frames.
_base_ = './repflow-input_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(fusion='add')))

# (2+1)D, flow after block 3.
_base_ = './repflow-block1_r2plus1d-18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(after='block3')))

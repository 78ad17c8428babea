# 3D, flow after block 3.
_base_ = './repflow-block1_r3d-18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(after='block3')))

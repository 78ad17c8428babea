# (2+1)D, flow of flow with convolutions between (FcF).
_base_ = './repflow-block1_r2plus1d-18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(steps=('flow', 'conv', 'flow'))))

# The 3D flow CNN.
_base_ = './tvl1_r18_motion-clips-hard.py'

model = dict(backbone=dict(inflate=(1, 1, 1, 1), conv1_kernel=(3, 7, 7)))

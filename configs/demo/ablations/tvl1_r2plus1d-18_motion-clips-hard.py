# The (2+1)D flow CNN.
_base_ = './tvl1_r3d-18_motion-clips-hard.py'

model = dict(backbone=dict(type='RepFlowResNet2Plus1d'))

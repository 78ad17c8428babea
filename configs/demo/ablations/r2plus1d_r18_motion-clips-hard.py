# R(2+1)D, for flow behind any of its modules: T is kept.
_base_ = './rgb_r2plus1d-18_motion-clips-hard.py'

model = dict(backbone=dict(_delete_=True, type='WithFlow', backbone=_base_.model.backbone))

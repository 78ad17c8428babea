# R3D, for flow behind any of its modules: T is kept.
_base_ = './rgb_r3d-18-narrow_egogestar.py'

model = dict(backbone=dict(_delete_=True, type='WithFlow', backbone=_base_.model.backbone))

# TANet, which has bottleneck blocks alone: ResNet-50 a quarter as wide, from scratch.
_base_ = './tsm_r18_narrow.py'

backbone = dict(_delete_=True, type='TANet', depth=50, num_segments=8, **_base_.narrow)
model = dict(backbone=dict(backbone=backbone), cls_head=dict(in_channels=512))

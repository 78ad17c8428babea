# X3D-S.
_base_ = './rgb_r18-narrow_egogestar.py'

backbone = dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2)
model = dict(
    backbone=dict(_delete_=True, type='WithFlow', backbone=backbone),
    cls_head=dict(
        _delete_=True,
        type='X3DHead',
        num_classes=10,
        in_channels=432,
        dropout_ratio=0.2,
        fc1_bias=False,
        average_clips='prob',
    ),
)

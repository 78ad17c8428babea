# X3D-S at the width of the other networks (16 to 128 channels) and with the blocks of X3D's smallest network (1, 2, 5
# and 3), as its 26 blocks take too long on a CPU.
_base_ = './rgb_r18-narrow_egogestar.py'

backbone = dict(type='X3D', gamma_w=2 / 3, gamma_b=2.25, gamma_d=1)
model = dict(
    backbone=dict(_delete_=True, type='WithFlow', backbone=backbone),
    cls_head=dict(
        _delete_=True,
        type='X3DHead',
        num_classes=10,
        in_channels=288,
        dropout_ratio=0.2,
        fc1_bias=False,
        average_clips='prob',
    ),
)

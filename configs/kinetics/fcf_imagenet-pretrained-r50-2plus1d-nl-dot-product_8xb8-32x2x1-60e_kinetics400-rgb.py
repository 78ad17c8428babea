# (2+1)D FcF with non-local blocks on Kinetics-400. Our choice: their number, places and kind, those of MMAction2's I3D.
_base_ = './fcf_imagenet-pretrained-r50-2plus1d_8xb8-32x2x1-60e_kinetics400-rgb.py'

model = dict(
    backbone=dict(
        non_local=((0, 0, 0), (0, 1, 0, 1), (0, 1, 0, 1, 0, 1), (0, 0, 0)),
        non_local_cfg=dict(
            sub_sample=True,
            use_scale=False,
            norm_cfg=dict(type='BN3d', requires_grad=True),
            mode='dot_product',
        ),
    ),
)

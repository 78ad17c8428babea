# SlowOnly, ResNet-18 a quarter as wide, from scratch: 3D convolutions in its last two stages, T is kept.
_base_ = './rgb_r18_narrow.py'

backbone = dict(
    type='ResNet3dSlowOnly',
    depth=18,
    base_channels=16,
    lateral=False,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 1, 1),
    with_pool2=False,
)
model = dict(backbone=dict(_delete_=True, type='WithFlow', backbone=backbone))

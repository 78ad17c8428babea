# ResNet-18 a quarter as wide, 2D (ResNet3d, whose width can be set, with convolutions over space alone), from scratch:
# the ablations on motion clips train some hundred networks on a CPU.
_base_ = './rgb_r34.py'

model = dict(
    backbone=dict(
        type='RepFlowResNet3d',
        depth=18,
        base_channels=16,
        inflate=(0, 0, 0, 0),
        conv1_kernel=(1, 7, 7),
        with_pool2=False,
        num_segments=8,
    ),
    cls_head=dict(num_classes=16, in_channels=128, dropout_ratio=0.2),
)

# (2+1)D ResNet-50 as in the authors' Kinetics network: 3x1x1 convolutions in the first bottleneck of each stage and in
# every other one after it, T halved twice by the stem: 32 frames are 8 at the flow layer, after the 3rd block.
_base_ = './repflow_r50.py'

model = dict(
    backbone=dict(
        type='RepFlowResNet3d',
        inflate_style='3x1x1',
        inflate=((1, 1, 0), (1, 1, 0, 1), (1, 1, 0, 1, 0, 1), (1, 1, 0)),
        conv1_kernel=(7, 7, 7),
        conv1_stride_t=2,
        # The authors pool 3x3x3, MMAction2 1x3x3, both with a temporal stride of 2.
        pool1_stride_t=2,
        with_pool2=False,
    ),
)

# The paper: 2D ResNet-50, the flow layer after the 3rd block, divergence and theta, lam, tau learned, 20 iterations,
# predictions averaged over time, ImageNet initialisation.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='RepFlowResNet',
        depth=50,
        num_segments=32,
        pretrained='https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
        flow=dict(
            after='block3',
            channels=32,
            num_iters=20,
            learn=('theta', 'lam', 'tau', 'div'),
            fusion='none',
        ),
    ),
    # Our choice: dropout 0.5, as MMAction2's heads have it; clips are averaged as probabilities.
    cls_head=dict(type='I3DHead', num_classes=400, in_channels=2048, dropout_ratio=0.5, average_clips='prob'),
    # The authors' scripts: pixels to [-1, 1]. With ImageNet weights we keep the statistics these were trained with.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    # Our choice: of the 25 clips of 32x224x224 of a test, five at a time; see docs/training.md.
    test_cfg=dict(max_testing_views=5),
)

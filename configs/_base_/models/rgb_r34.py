# 2D ResNet-34 for 16x112x112 clips; predictions averaged over time. From scratch, as in the authors' training script.
model = dict(
    type='Recognizer3D',
    backbone=dict(type='RepFlowResNet', depth=34, num_segments=16),
    # Our choice: dropout 0.5, as MMAction2's heads have it.
    cls_head=dict(type='I3DHead', num_classes=150, in_channels=512, dropout_ratio=0.5, average_clips='prob'),
    # The authors' scripts: pixels to 1 - 2x/255; this is its negative.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW',
    ),
    # Our choice: as many clips of 16x112x112 at a time as a test has; more views, such as crops, are divided.
    test_cfg=dict(max_testing_views=25),
)

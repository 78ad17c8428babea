# TSM, ResNet-18 a quarter as wide, from scratch. MMAction2's 2D networks have their widths in their code, so their
# layers take a quarter of the channels that they are given.
narrow = dict(
    conv_cfg=dict(type='NarrowConv2d', width=0.25),
    norm_cfg=dict(type='NarrowBatchNorm2d', width=0.25),
)
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(type='ResNetTSM', depth=18, num_segments=8, shift_div=8, pretrained2d=False, **narrow),
    ),
    cls_head=dict(
        type='TSMHead', num_classes=16, in_channels=128, num_segments=8, dropout_ratio=0.2, average_clips='prob'
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCHW',
    ),
)

# TSM ResNet-50 with flow after layer2, from ImageNet weights.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(
            type='ResNetTSM',
            depth=50,
            num_segments=8,
            shift_div=8,
            norm_eval=False,
            pretrained2d=True,
            pretrained='https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
        ),
        flow=dict(after='layer2', channels=32, num_iters=20, fusion='add', zero_init_norm=True),
    ),
    cls_head=dict(type='TSMHead', num_classes=400, in_channels=2048, num_segments=8, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)

# ResNet-18 up to its 3rd block, from scratch: enough for 64x64 clips, and trained in minutes on a CPU.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='RepFlowResNet',
        depth=18,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
        num_segments=8,
    ),
    cls_head=dict(type='I3DHead', num_classes=8, in_channels=128, dropout_ratio=0.2, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW',
    ),
)

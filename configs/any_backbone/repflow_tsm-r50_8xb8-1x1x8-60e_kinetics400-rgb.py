# TSM ResNet-50 with flow after layer2, from MMAction2's weights of tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.
_base_ = [
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb_20220831-64d69186.pth'  # noqa: E501
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(type='ResNetTSM', depth=50, num_segments=8, shift_div=8, norm_eval=False, pretrained2d=False),
        flow=dict(after='layer2', channels=32, num_iters=20, fusion='add', zero_init_norm=True),
    ),
    cls_head=dict(type='TSMHead', num_classes=400, in_channels=2048, num_segments=8, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)

# TSM's clips: one frame from each of 8 segments of the video.
changed = dict(
    SampleFrames=dict(clip_len=1, frame_interval=1, num_clips=8),
    FormatShape=dict(input_format='NCHW'),
)
train_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.train_pipeline]
val_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.val_pipeline]
test_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

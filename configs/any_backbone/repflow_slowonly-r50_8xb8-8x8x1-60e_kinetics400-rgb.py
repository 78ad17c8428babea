# SlowOnly ResNet-50 with flow after layer2, from MMAction2's weights of slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb.
_base_ = [
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb_20220901-2132fc87.pth'
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(
            type='ResNet3dSlowOnly',
            depth=50,
            pretrained=None,
            lateral=False,
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(0, 0, 1, 1),
        ),
        flow=dict(after='layer2', channels=32, num_iters=20, fusion='add', zero_init_norm=True),
    ),
    cls_head=dict(type='I3DHead', num_classes=400, in_channels=2048, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCTHW'
    ),
    test_cfg=dict(max_testing_views=20),
)

# SlowOnly's clips: 8 frames, every eighth of the video.
changed = dict(SampleFrames=dict(clip_len=8, frame_interval=8))
train_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.train_pipeline]
val_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.val_pipeline]
test_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

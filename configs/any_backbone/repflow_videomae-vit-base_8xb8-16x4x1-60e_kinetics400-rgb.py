# VideoMAE ViT-B with flow after block 5, from MMAction2's weights of
# vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400.
_base_ = ['../_base_/datasets/kinetics400_32x224.py', '../_base_/schedules/sgd_60e.py', '../_base_/default_runtime.py']

load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400_20221013-860a3cd3.pth'
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(type='VisionTransformer', num_frames=16, norm_cfg=dict(type='LN', eps=1e-6)),
        flow=dict(after='blocks.5', channels=32, num_iters=20, fusion='add', zero_init_norm=True),
    ),
    cls_head=dict(type='TimeSformerHead', num_classes=400, in_channels=768, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCTHW'
    ),
    test_cfg=dict(max_testing_views=10),
)

# VideoMAE's clips: 16 frames, every fourth of the video.
changed = dict(SampleFrames=dict(clip_len=16, frame_interval=4))
train_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.train_pipeline]
val_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.val_pipeline]
test_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# Our choice: AdamW at a small learning rate, as the network is trained already.
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-5, betas=(0.9, 0.999), weight_decay=0.05))

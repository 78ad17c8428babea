# X3D-S with flow after layer2, from MMAction2's copy of the authors' weights, x3d_s_13x6x1_facebook-kinetics400-rgb.
_base_ = [
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook/x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth'
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
        flow=dict(after='layer2', channels=24, num_iters=20, fusion='add', zero_init_norm=True),
    ),
    cls_head=dict(type='X3DHead', num_classes=400, in_channels=432, fc1_bias=False, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[114.75, 114.75, 114.75], std=[57.38, 57.38, 57.38], format_shape='NCTHW'
    ),
    test_cfg=dict(max_testing_views=15),
)

# X3D-S's clips: 13 frames, every sixth of the video, trained at 160x160 and tested at 182x182.
clip = dict(clip_len=13, frame_interval=6)
train_sizes = {256: dict(scale=(-1, 182)), 224: dict(scale=(160, 160))}
train_pipeline = [
    {**step, **(clip if step.type == 'SampleFrames' else train_sizes.get(max(step.get('scale', (0,))), {}))}
    for step in _base_.train_pipeline
]
changed = dict(SampleFrames=clip, Resize=dict(scale=(-1, 182)), CenterCrop=dict(crop_size=182))
val_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.val_pipeline]
test_pipeline = [{**step, **changed.get(step.type, {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

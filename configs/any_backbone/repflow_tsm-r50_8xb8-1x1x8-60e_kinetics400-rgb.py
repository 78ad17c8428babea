# TSM ResNet-50 with flow after layer2, from MMAction2's weights of
# tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.
_base_ = [
    '../_base_/models/repflow_tsm_r50.py',
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_finetune.py',
    '../_base_/default_runtime.py',
]

load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb_20220831-64d69186.pth'
model = dict(backbone=dict(backbone=dict(pretrained=None, pretrained2d=False)))

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

# Clips of 32 frames at 224x224 of videos; the paper's, who test on 25 clips.
_base_ = './loaders.py'

# Our choice: a frame interval of 2, as in the authors' scripts for 16 frames; MMAction2's multi-scale crop.
clip_len, frame_interval = 32, 2
train_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]
val_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The paper: 25 clips. Our choice: the centre crop; for 25 x 3 views put dict(type='ThreeCrop', crop_size=256) here.
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=25, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]

train_dataloader = dict(dataset=dict(type='CheckedVideoDataset', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(type='CheckedVideoDataset', pipeline=val_pipeline, test_mode=True))
test_dataloader = dict(dataset=dict(type='CheckedVideoDataset', pipeline=test_pipeline, test_mode=True))

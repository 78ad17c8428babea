# Clips of 16 frames at 112x112 of videos; the authors' scripts: stride 2, random 112 crop, flip 0.5.
_base_ = './loaders.py'

# Our choice: the short side at 128 before the crop.
clip_len, frame_interval = 16, 2
train_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]
val_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# Our choice: 25 clips, as the paper has on Kinetics-400, and the centre crop.
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=25, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]

train_dataloader = dict(dataset=dict(type='CheckedVideoDataset', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(type='CheckedVideoDataset', pipeline=val_pipeline, test_mode=True))
test_dataloader = dict(dataset=dict(type='CheckedVideoDataset', pipeline=test_pipeline, test_mode=True))

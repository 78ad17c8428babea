# Stacks of 5 neighbouring flows from disk for 2D networks, (10, 112, 112) each, channels x, y, x, y, ...; three
# stacks of a video in training.
_base_ = './loaders.py'

stack_length = 5
train_pipeline = [
    dict(type='SampleFrames', clip_len=stack_length, frame_interval=1, num_clips=3),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='RandomCrop', size=112),
    dict(type='FlowFlip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir', 'img_shape')),
]
val_pipeline = [
    dict(type='SampleFrames', clip_len=stack_length, frame_interval=1, num_clips=3, test_mode=True),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
# Our choice: 25 stacks, as many as the RGB networks have clips.
test_pipeline = [
    dict(type='SampleFrames', clip_len=stack_length, frame_interval=1, num_clips=25, test_mode=True),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir', 'img_shape')),
]

dataset = dict(type='CheckedRawframeDataset', modality='Flow', filename_tmpl='{}_{:05d}.jpg')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, test_mode=True, **dataset))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, test_mode=True, **dataset))

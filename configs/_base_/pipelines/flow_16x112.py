# Clips of 16 flows from disk for 3D networks: (2, 16, 112, 112).
_base_ = './loaders.py'

# Flow of neighbouring frames, every second one, over the time of the RGB clips.
# For files made with --format mp4 put dict(type='FlowFileDecode') in the place of CheckedRawFrameDecode.
clip_len, frame_interval = 16, 2
train_pipeline = [
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='RandomCrop', size=112),
    dict(type='FlowFlip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir', 'img_shape')),
]
val_pipeline = [
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1, test_mode=True),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The views of the RGB networks.
test_pipeline = [
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=25, test_mode=True),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir', 'img_shape')),
]

dataset = dict(type='CheckedRawframeDataset', modality='Flow', filename_tmpl='{}_{:05d}.jpg')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, test_mode=True, **dataset))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, test_mode=True, **dataset))

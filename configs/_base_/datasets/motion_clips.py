# The demo's clips, written by tools/data/make_motion_clips.py: eight motions of textures, 12 frames of 64x64.
# The environment variable MOTION_CLIPS names another folder of clips.
data_root = '{{$MOTION_CLIPS:data/motion_clips}}'
ann_file_train = f'{data_root}/train.txt'
ann_file_val = f'{data_root}/val.txt'
data_help = f'Make it with: python tools/data/make_motion_clips.py {data_root} --length 12'

# No flips or crops: a mirrored clip shows another motion. A clip starts at a random frame.
train_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]

dataset = dict(type='CheckedVideoDataset', data_prefix=dict(video=data_root), num_classes=8)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file=ann_file_train, pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file=ann_file_val, pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

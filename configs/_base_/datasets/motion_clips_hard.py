# Harder motion clips for the ablations: slower, noisy, with drifting brightness and distractors; 16 classes, among them
# compound motions, and accelerated ones that show the same flow fields in opposite order. Whole clips of 8 frames.
# The environment variable MOTION_CLIPS_HARD names another folder of clips.
data_root = '{{$MOTION_CLIPS_HARD:data/motion_clips_hard}}'
command = f'python tools/data/make_motion_clips.py {data_root}'
data_help = f'Make it with: {command} --variant hard --train 960 --val 320 --size 80 --length 8 --seed 11'

pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]
dataset = dict(type='CheckedVideoDataset', data_prefix=dict(video=data_root), num_classes=16, pipeline=pipeline)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file=f'{data_root}/train.txt', **dataset),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file=f'{data_root}/val.txt', test_mode=True, **dataset),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

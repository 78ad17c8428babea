# Tiny-Kinetics: 150 classes of Kinetics-400; the authors' scripts: 16 frames at stride 2, random 112 crop, flip 0.5.
data_root = 'data/tiny_kinetics'
video_root = 'data/kinetics400'
ann_file_train = f'{data_root}/tiny_kinetics_train_list_videos.txt'
ann_file_val = f'{data_root}/tiny_kinetics_val_list_videos.txt'
data_help = (
    f'Make the lists from those of Kinetics-400 with: python tools/data/tiny_kinetics.py {data_root}; '
    f'its videos belong in {video_root}/videos_train and videos_val'
)

# Our choice: the short side at 128 before the crop.
clip_len, frame_interval = 16, 2
train_pipeline = [
    dict(type='CheckedDecordInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='CheckedDecordDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='CheckedDecordInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1, test_mode=True),
    dict(type='CheckedDecordDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# Our choice: 25 clips, as the paper has on Kinetics-400, and the centre crop.
test_pipeline = [
    dict(type='CheckedDecordInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=25, test_mode=True),
    dict(type='CheckedDecordDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]

train = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{video_root}/videos_train'))
val = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{video_root}/videos_val'), test_mode=True)
# Workers start anew in every epoch, so that their random state follows the epoch (see EpochSeedHook).
train_dataloader = dict(
    batch_size=24,
    num_workers=8,
    worker_init_fn=dict(type='keep_worker_seed'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CheckedVideoDataset', num_classes=150, pipeline=train_pipeline, **train),
)
val_dataloader = dict(
    batch_size=24,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CheckedVideoDataset', num_classes=150, pipeline=val_pipeline, **val),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CheckedVideoDataset', num_classes=150, pipeline=test_pipeline, **val),
)
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(type='AccMetric')

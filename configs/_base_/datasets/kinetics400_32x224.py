# Kinetics-400 as videos; the paper: clips of 32 frames at 224x224, tested on 25 clips.
dataset_type = 'CheckedVideoDataset'
data_root = 'data/kinetics400'
ann_file_train = f'{data_root}/kinetics400_train_list_videos.txt'
ann_file_val = f'{data_root}/kinetics400_val_list_videos.txt'
data_help = (
    'Get Kinetics-400 as described at github.com/cvdfoundation/kinetics-dataset, make the lists with MMAction2 '
    '(one line a video: path label) and put or link everything to data/kinetics400'
)

# Our choice: a frame interval of 2, as in the authors' scripts for 16 frames; MMAction2's multi-scale crop.
clip_len, frame_interval = 32, 2
train_pipeline = [
    dict(type='CheckedDecordInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='CheckedDecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='CheckedDecordInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1, test_mode=True),
    dict(type='CheckedDecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The paper: 25 clips. Our choice: the centre crop; for 25 x 3 views put dict(type='ThreeCrop', crop_size=256) here.
test_pipeline = [
    dict(type='CheckedDecordInit'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=25, test_mode=True),
    dict(type='CheckedDecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]

dataset = dict(type=dataset_type, data_prefix=dict(video=data_root), num_classes=400)
# Workers start anew in every epoch, so that their random state follows the epoch (see EpochSeedHook).
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    worker_init_fn=dict(type='keep_worker_seed'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file=ann_file_train, pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file=ann_file_val, pipeline=val_pipeline, test_mode=True, **dataset),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file=ann_file_val, pipeline=test_pipeline, test_mode=True, **dataset),
)
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(type='AccMetric')

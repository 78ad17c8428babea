# TV-L1 flow of Kinetics-400 from disk, for 3D networks: clips of 32 flows, (2, 32, 224, 224).
data_root = 'data/kinetics400'
# What the extraction writes: the flow, and in the same folder its list, by the name of the videos' list.
flow_train, flow_val = f'{data_root}/flow_train', f'{data_root}/flow_val'
ann_file_train = f'{flow_train}/kinetics400_train_list_videos.txt'
ann_file_val = f'{flow_val}/kinetics400_val_list_videos.txt'
command = (
    f'python tools/data/extract_flow.py {data_root}/kinetics400_train_list_videos.txt {flow_train} '
    f'--videos {data_root}/videos_train --short-side 256'
)
data_help = f'Make it with: {command}; and the same for val'

# Flow of neighbouring frames, every second one, over the time of the RGB clips.
# For files made with --format mp4 put dict(type='FlowFileDecode') in the place of CheckedRawFrameDecode.
clip_len, frame_interval = 32, 2
train_pipeline = [
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='FlowFlip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1, test_mode=True),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The views of the RGB networks.
test_pipeline = [
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=25, test_mode=True),
    dict(type='CheckedRawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir', 'img_shape')),
]

dataset = dict(type='RawframeDataset', modality='Flow', filename_tmpl='{}_{:05d}.jpg', num_classes=400)
train = dict(ann_file=ann_file_train, data_prefix=dict(img=flow_train), **dataset)
val = dict(ann_file=ann_file_val, data_prefix=dict(img=flow_val), test_mode=True, **dataset)
# Workers start anew in every epoch, so that their random state follows the epoch (see EpochSeedHook).
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    worker_init_fn=dict(type='keep_worker_seed'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **train),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=val_pipeline, **val),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, **val),
)
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(type='AccMetric')

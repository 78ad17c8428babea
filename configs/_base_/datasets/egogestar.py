# EgoGestAR: ten gestures of a pointing hand, which its path alone tells apart. 16 frames over the whole clip; how long
# it is, which differs from class to class, is not seen. No flip, which would make another gesture of most.
# The environment variable EGOGESTAR names another clone of the data set; EGOGESTAR_FOLD=tune holds three training
# scenes out in place of the six test scenes, for choices that must not look at these.
data_root = '{{$EGOGESTAR:data/egogestar}}'
fold = '{{$EGOGESTAR_FOLD:test}}'
data_help = f'Clone varunj/EgoGestAR to {data_root}, then: python tools/data/egogestar.py {data_root} {data_root}'

num_frames = 16
train_pipeline = [
    dict(type='VideoInit'),
    dict(type='UniformSample', clip_len=num_frames),
    dict(type='VideoDecode'),
    # The whole width is needed: hands reach its edges.
    dict(type='Resize', scale=(104, 104), keep_ratio=False),
    dict(type='RandomCrop', size=96),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='UniformSample', clip_len=num_frames, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(104, 104), keep_ratio=False),
    dict(type='CenterCrop', crop_size=96),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'img_shape')),
]

dataset = dict(type='CheckedVideoDataset', data_prefix=dict(video=data_root), num_classes=10)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file=f'{data_root}/egogestar_train_{fold}.txt', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file=f'{data_root}/egogestar_val_{fold}.txt', pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric', metric_list=('top_k_accuracy', 'mean_class_accuracy'))
test_evaluator = val_evaluator

# Clips of 16 frames, every second one, of small videos from a fixed camera: the whole frame, as persons cross it, at
# 112x84, KTH's shape. Frames of other shapes are stretched a little: clips of a batch need one size. A fixed interval,
# since running differs from jogging by its speed. Tested on the clip in the middle.
_base_ = './videos_16x112.py'

changed = dict(Resize=dict(type='Resize', scale=(112, 84), keep_ratio=False))
train_pipeline = [changed.get(step.type, step) for step in _base_.train_pipeline if 'Crop' not in step.type]
val_pipeline = [changed.get(step.type, step) for step in _base_.val_pipeline if 'Crop' not in step.type]
sample = dict(type='SampleFrames', clip_len=_base_.clip_len, frame_interval=_base_.frame_interval, test_mode=True)
packing = dict(type='PackActionInputs', meta_keys=('filename', 'img_shape'))
test_changed = dict(SampleFrames=dict(**sample, num_clips=1), PackActionInputs=packing)
test_pipeline = [test_changed.get(step['type'], step) for step in val_pipeline]
train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=2, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(metric_list=('top_k_accuracy', 'mean_class_accuracy'))
test_evaluator = dict(metric_list=('top_k_accuracy', 'mean_class_accuracy'))

# TANet.
_base_ = [
    '../../_base_/models/tanet_r50_narrow.py',
    '../../_base_/datasets/motion_clips_hard.py',
    '../../_base_/schedules/adam_ablation.py',
    '../../_base_/default_runtime.py',
]

shape = dict(FormatShape=dict(input_format='NCHW'))
pipeline = [{**step, **shape.get(step.type, {})} for step in _base_.pipeline]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader

# TSM, a quarter as wide.
_base_ = [
    '../_base_/models/tsm_r18_narrow.py',
    '../_base_/datasets/egogestar.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(backbone=dict(num_segments=16)), cls_head=dict(num_classes=10, num_segments=16))

shape = dict(FormatShape=dict(input_format='NCHW'))
train_pipeline = [{**step, **shape.get(step.type, {})} for step in _base_.train_pipeline]
test_pipeline = [{**step, **shape.get(step.type, {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

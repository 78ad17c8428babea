# EgoGestAR with the frames of a clip folded into the batch, as MMAction2's 2D networks take them.
_base_ = './egogestar.py'

shape = dict(FormatShape=dict(input_format='NCHW'))
train_pipeline = [{**step, **shape.get(step.type, {})} for step in _base_.train_pipeline]
test_pipeline = [{**step, **shape.get(step.type, {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

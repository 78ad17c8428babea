# The hard motion clips with the frames of a clip folded into the batch, as MMAction2's 2D networks take them.
_base_ = './motion_clips_hard.py'

shape = dict(FormatShape=dict(input_format='NCHW'))
pipeline = [{**step, **shape.get(step.type, {})} for step in _base_.pipeline]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader

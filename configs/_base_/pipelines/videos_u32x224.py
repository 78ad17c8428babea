# Clips of 32 frames at 224x224, one from each of 32 equal parts of the video, for videos of a few seconds whose class
# is in their whole course. So sampled, and tested on one clip, by SlowFast's config for Something-Something V2 (its
# configs/SSv2/SLOWFAST_16x8_R50.yaml). Our choice: 32 frames, as the paper's network takes, and the centre crop.
_base_ = './videos_32x224.py'

sample = dict(type='UniformSample', clip_len=32)
test_sample = dict(**sample, test_mode=True)
train_pipeline = [sample if step.type == 'SampleFrames' else step for step in _base_.train_pipeline]
val_pipeline = [test_sample if step.type == 'SampleFrames' else step for step in _base_.val_pipeline]
test_pipeline = [test_sample if step.type == 'SampleFrames' else step for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

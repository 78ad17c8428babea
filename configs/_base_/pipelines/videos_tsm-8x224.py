# TSM's clips at 224x224 (Lin et al., ICCV 2019), as MMAction2's TSM configs have them: one frame from each of 8
# segments of the video, crops of four scales, and in tests one clip and the centre crop.
_base_ = './videos_32x224.py'

sample = dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
crop = dict(
    type='MultiScaleCrop',
    input_size=224,
    scales=(1, 0.875, 0.75, 0.66),
    random_crop=False,
    max_wh_scale_gap=1,
    num_fixed_crops=13,
)
changed = dict(SampleFrames=sample, RandomResizedCrop=crop, FormatShape=dict(type='FormatShape', input_format='NCHW'))
test_changed = dict(changed, SampleFrames=dict(**sample, test_mode=True))
train_pipeline = [changed.get(step.type, step) for step in _base_.train_pipeline]
val_pipeline = [test_changed.get(step.type, step) for step in _base_.val_pipeline]
test_pipeline = [test_changed.get(step.type, step) for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# Clips of folders of frames, as those of videos.
_base_ = './videos_u32x224.py'

changed = dict(
    VideoDecode=dict(type='CheckedRawFrameDecode'),
    PackActionInputs=dict(type='PackActionInputs', meta_keys=('frame_dir', 'img_shape')),
)
train_pipeline = [changed.get(step.type, step) for step in _base_.train_pipeline if step.type != 'VideoInit']
val_pipeline = [changed.get(step.type, step) for step in _base_.val_pipeline if step.type != 'VideoInit']
test_pipeline = [changed.get(step.type, step) for step in _base_.test_pipeline if step.type != 'VideoInit']
dataset = dict(type='CheckedRawframeDataset', filename_tmpl='{:05}.jpg')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, **dataset))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))

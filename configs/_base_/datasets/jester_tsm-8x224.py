# Jester, TSM's clips of 8 frames.
_base_ = ['../lists/jester.py', '../pipelines/frames_tsm-8x224.py']

# A mirrored video may be of another class.
flip = dict(Flip=dict(flip_label_map=_base_.flip_label_map))
train_pipeline = [{**step, **flip.get(step.type, {})} for step in _base_.train_pipeline]
# TSM's accurate setting: two clips, and three crops of the full height.
views = dict(SampleFrames=dict(twice_sample=True), CenterCrop=dict(type='ThreeCrop', crop_size=256))
test_pipeline = [{**step, **views.get(step.type, {})} for step in _base_.test_pipeline]

# MMAction2's TSM config for it: 8 clips on each of 8 GPUs.
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline, **_base_.train_data))
val_dataloader = dict(batch_size=8, dataset=_base_.val_data)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **_base_.val_data))

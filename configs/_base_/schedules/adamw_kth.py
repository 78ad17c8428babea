# EgoGestAR's schedule, shorter, for ten times as many clips.
_base_ = './adamw_egogestar.py'

max_epochs = 12
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)

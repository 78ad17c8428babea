# A schedule for few clips, from scratch: AdamW, a short warm-up, the learning rate annealed to 0. Tested at its end
# alone: no epoch is chosen by the clips that it is tested on.
max_epochs = 40
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, end=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
# NOTE: MMEngine's loop, in which a run that is stopped begins its epoch anew. The runs of docs/real_videos.md have it,
# and a sweep knows finished runs by it.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)

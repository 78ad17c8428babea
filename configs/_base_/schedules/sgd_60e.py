# The authors' scripts: SGD, momentum 0.9, weight decay 1e-6, learning rate 0.01, the flow parameters' at 0.01 of it,
# reduced on a plateau (patience 7), 60 epochs, batches of 24 clips.
# Our choice: MMEngine's ReduceOnPlateauLR watches the validation accuracy, and gradients are clipped.
max_epochs = 60
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-6),
    # The terms of the solver alone: not the convolutions around it.
    paramwise_cfg=dict(custom_keys={'steps.flow': dict(lr_mult=0.01)}),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(type='ReduceOnPlateauLR', monitor='acc/top1', rule='greater', factor=0.1, patience=7, by_epoch=True),
]
train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=24)

# The schedule of the ablations on motion clips: the demo's, longer, for harder clips; validated at its end alone.
_base_ = './adam_demo.py'

max_epochs = 6
param_scheduler = [dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)

# The authors' optimizer for 50 epochs, with the learning rate divided by 10 after 20 and 40: those of TSM's networks
# (MMAction2's sgd_tsm_50e), which the literature on these data sets trains so.
_base_ = './sgd_60e.py'

max_epochs = 50
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 40], gamma=0.1, end=max_epochs, by_epoch=True)]
train_cfg = dict(max_epochs=max_epochs)

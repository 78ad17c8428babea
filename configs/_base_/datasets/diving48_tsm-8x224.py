# Diving48, TSM's clips of 8 frames.
_base_ = ['../lists/diving48.py', '../pipelines/videos_tsm-8x224.py']

# MMAction2's TSM config for it (0.x): 8 clips on each of 8 GPUs.
train_dataloader = dict(batch_size=8, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=8, dataset={{_base_.val_data}})
test_dataloader = dict(dataset={{_base_.val_data}})

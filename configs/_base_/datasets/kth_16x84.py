# KTH, clips of 16 frames at 112x84.
_base_ = ['../lists/kth.py', '../pipelines/videos_16x84.py']

train_dataloader = dict(batch_size=8, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=16, dataset={{_base_.val_data}})
test_dataloader = dict(batch_size=16, dataset={{_base_.val_data}})

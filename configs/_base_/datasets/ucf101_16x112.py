# UCF101, clips of 16 frames at 112x112, as of Tiny-Kinetics.
_base_ = ['../lists/ucf101.py', '../pipelines/videos_16x112.py']

train_dataloader = dict(batch_size=24, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=24, dataset={{_base_.val_data}})
test_dataloader = dict(dataset={{_base_.val_data}})

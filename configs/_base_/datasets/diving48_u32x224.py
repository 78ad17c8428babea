# Diving48, clips of 32 frames over the whole video.
_base_ = ['../lists/diving48.py', '../pipelines/videos_u32x224.py']

# The authors' batch of 24 clips, on 8 GPUs.
train_dataloader = dict(batch_size=3, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=8, dataset={{_base_.val_data}})
test_dataloader = dict(dataset={{_base_.val_data}})

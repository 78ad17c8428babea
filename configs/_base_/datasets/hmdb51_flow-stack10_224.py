# HMDB51, stacks of 10 flows from disk.
_base_ = ['../lists/hmdb51_flow.py', '../pipelines/flow-stack10_224.py']

# The authors' batch of 24 clips, on 8 GPUs.
train_dataloader = dict(batch_size=3, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=8, dataset={{_base_.val_data}})
test_dataloader = dict(dataset={{_base_.val_data}})

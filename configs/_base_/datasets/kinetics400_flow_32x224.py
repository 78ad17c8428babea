# Kinetics-400, clips of 32 flows from disk.
_base_ = ['../lists/kinetics400_flow.py', '../pipelines/flow_32x224.py']

train_dataloader = dict(batch_size=8, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=8, dataset={{_base_.val_data}})
test_dataloader = dict(dataset={{_base_.val_data}})

# TV-L1 flow of HMDB51 from disk, split 3 of 3, clips of 32 flows.
_base_ = './hmdb51_split1_flow_32x224.py'

ann_file_train = 'data/hmdb51/flow/hmdb51_train_split_3_videos.txt'
ann_file_val = 'data/hmdb51/flow/hmdb51_val_split_3_videos.txt'

train_dataloader = dict(dataset=dict(ann_file=ann_file_train))
val_dataloader = dict(dataset=dict(ann_file=ann_file_val))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val))

# TV-L1 flow of HMDB51 from disk, split 1 of 3, stacks of 10 flows: the pipelines of Kinetics-400.
# The splits share a folder.
_base_ = './kinetics400_flow-stack10_224.py'

data_root = 'data/hmdb51/flow'
ann_file_train = f'{data_root}/hmdb51_train_split_1_videos.txt'
ann_file_val = f'{data_root}/hmdb51_val_split_1_videos.txt'
command = (
    f'python tools/data/extract_flow.py data/hmdb51/hmdb51_train_split_1_videos.txt {data_root} '
    '--videos data/hmdb51/videos --short-side 256'
)
data_help = f'Make it with: {command}; and the same for val and for the other splits'

dataset = dict(data_prefix=dict(img=data_root), num_classes=51)
# The authors' batch of 24 clips, on 8 GPUs.
train_dataloader = dict(batch_size=3, dataset=dict(ann_file=ann_file_train, **dataset))
val_dataloader = dict(dataset=dict(ann_file=ann_file_val, **dataset))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val, **dataset))

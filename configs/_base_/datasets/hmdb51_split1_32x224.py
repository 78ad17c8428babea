# HMDB51, split 1 of 3: the pipelines of Kinetics-400.
_base_ = './kinetics400_32x224.py'

data_root = 'data/hmdb51/videos'
ann_file_train = 'data/hmdb51/hmdb51_train_split_1_videos.txt'
ann_file_val = 'data/hmdb51/hmdb51_val_split_1_videos.txt'
data_help = (
    'Get HMDB51 from serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database, put the videos in '
    'data/hmdb51/videos/CLASS and make the lists from the official split files with tools/data/hmdb51.py'
)

dataset = dict(data_prefix=dict(video=data_root), num_classes=51)
# The authors' batch of 24 clips, on 8 GPUs.
train_dataloader = dict(batch_size=3, dataset=dict(ann_file=ann_file_train, **dataset))
val_dataloader = dict(dataset=dict(ann_file=ann_file_val, **dataset))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val, **dataset))

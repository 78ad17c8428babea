# HMDB51 as videos, one of its three splits: the environment variable HMDB51_SPLIT says which, 1 where it is not set.
split = '{{$HMDB51_SPLIT:1}}'
splits = dict(variable='HMDB51_SPLIT', count=3)
data_root = 'data/hmdb51/videos'
ann_file_train = f'data/hmdb51/hmdb51_train_split_{split}_videos.txt'
ann_file_val = f'data/hmdb51/hmdb51_val_split_{split}_videos.txt'
data_help = (
    'Get HMDB51 from serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database, put the videos in '
    'data/hmdb51/videos and make the lists from the official split files with tools/data/hmdb51.py'
)

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=data_root), num_classes=51)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=data_root), num_classes=51)

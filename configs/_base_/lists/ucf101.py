# UCF101 as videos, one of its three splits: the environment variable UCF101_SPLIT says which, 1 where it is not set.
split = '{{$UCF101_SPLIT:1}}'
data_root = 'data/ucf101'
ann_file_train = f'{data_root}/ucf101_train_split_{split}_videos.txt'
ann_file_val = f'{data_root}/ucf101_val_split_{split}_videos.txt'
command = f'python tools/data/ucf101.py {data_root}/annotations {data_root} --videos {data_root}/videos'
data_help = (
    'Get UCF101 and its train/test splits for action recognition from crcv.ucf.edu/data/UCF101.php, put the files of '
    f'the splits in {data_root}/annotations and the videos in {data_root}/videos, and make the lists with: {command}'
)

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{data_root}/videos'), num_classes=101)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{data_root}/videos'), num_classes=101)

# UCF101 as videos, one of its three splits: the environment variable UCF101_SPLIT says which, 1 where it is not set.
# Protocol (Soomro, Zamir & Shah, CRCV-TR-12-01, 2012): the mean of the accuracies over the three splits, in each of
# which the videos of one group, cut from the same recording, are all trained on or all tested.
split = '{{$UCF101_SPLIT:1}}'
splits = dict(variable='UCF101_SPLIT', count=3)
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

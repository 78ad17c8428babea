# Diving48 (V2) as videos.
data_root = 'data/diving48'
ann_file_train = f'{data_root}/diving48_train_list_videos.txt'
ann_file_val = f'{data_root}/diving48_val_list_videos.txt'
command = f'python tools/data/diving48.py {data_root}/annotations {data_root} --videos {data_root}/videos'
data_help = (
    'Get Diving48 (V2) from svcl.ucsd.edu/projects/resound/dataset.html, put Diving48_V2_train.json, '
    f'Diving48_V2_test.json and Diving48_vocab.json in {data_root}/annotations and the videos in {data_root}/videos, '
    f'and make the lists with: {command}'
)

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{data_root}/videos'), num_classes=48)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{data_root}/videos'), num_classes=48)

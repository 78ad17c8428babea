# Tiny-Kinetics as videos: 150 classes of Kinetics-400.
data_root, video_root = 'data/tiny_kinetics', 'data/kinetics400'
ann_file_train = f'{data_root}/tiny_kinetics_train_list_videos.txt'
ann_file_val = f'{data_root}/tiny_kinetics_val_list_videos.txt'
command = (
    f'python tools/data/tiny_kinetics.py {data_root} --classes {video_root}/kinetics400_classes.txt '
    f'--train-list {video_root}/kinetics400_train_list_videos.txt '
    f'--val-list {video_root}/kinetics400_val_list_videos.txt'
)
data_help = (
    f'Make the lists from those of Kinetics-400 (tools/data/kinetics.py) with: {command}; '
    f'its videos belong in {video_root}/videos_train and videos_val'
)

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{video_root}/videos_train'), num_classes=150)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{video_root}/videos_val'), num_classes=150)

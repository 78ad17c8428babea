# Kinetics-400 as videos.
data_root = 'data/kinetics400'
ann_file_train = f'{data_root}/kinetics400_train_list_videos.txt'
ann_file_val = f'{data_root}/kinetics400_val_list_videos.txt'
command = (
    f'python tools/data/kinetics.py {data_root} --version 400 '
    f'--train-table train.csv --train-videos {data_root}/videos_train '
    f'--val-table val.csv --val-videos {data_root}/videos_val'
)
data_help = (
    f'Get Kinetics-400 as described at github.com/cvdfoundation/kinetics-dataset, put the videos in {data_root}/'
    f'videos_train and videos_val, and make the lists with: {command}'
)

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{data_root}/videos_train'), num_classes=400)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{data_root}/videos_val'), num_classes=400)

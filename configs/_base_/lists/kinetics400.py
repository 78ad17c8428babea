# Kinetics-400 as videos.
data_root = 'data/kinetics400'
ann_file_train = f'{data_root}/kinetics400_train_list_videos.txt'
ann_file_val = f'{data_root}/kinetics400_val_list_videos.txt'
data_help = (
    'Get Kinetics-400 as described at github.com/cvdfoundation/kinetics-dataset, make the lists with MMAction2 '
    '(one line a video: path label); lists belong in data/kinetics400, videos in its videos_train and videos_val'
)

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{data_root}/videos_train'), num_classes=400)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{data_root}/videos_val'), num_classes=400)

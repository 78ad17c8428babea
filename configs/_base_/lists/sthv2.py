# Something-Something V2 as videos.
data_root = 'data/sthv2'
ann_file_train = f'{data_root}/sthv2_train_list_videos.txt'
ann_file_val = f'{data_root}/sthv2_val_list_videos.txt'
command = (
    f'python tools/data/something_something.py {data_root}/annotations {data_root} --version 2 '
    f'--videos {data_root}/videos'
)
data_help = (
    'Get Something-Something V2 from qualcomm.com/developer/software/something-something-v-2-dataset, put its JSON '
    f'files in {data_root}/annotations and the videos in {data_root}/videos, and make the lists with: {command}'
)
# What a mirrored video shows: left and right, pulled, pushed and turned to. The command writes these labels too.
flip_label_map = {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}

train_data = dict(ann_file=ann_file_train, data_prefix=dict(video=f'{data_root}/videos'), num_classes=174)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(video=f'{data_root}/videos'), num_classes=174)

# Jester as folders of frames.
data_root = 'data/jester'
ann_file_train = f'{data_root}/jester_train_list_rawframes.txt'
ann_file_val = f'{data_root}/jester_val_list_rawframes.txt'
command = f'python tools/data/jester.py {data_root}/annotations {data_root} --frames {data_root}/rawframes'
data_help = (
    'Get Jester from qualcomm.com/developer/software/jester-dataset, put its CSV files in '
    f'{data_root}/annotations and the folders of frames in {data_root}/rawframes, and make the lists with: {command}'
)
# What a mirrored clip shows: swiping and sliding to the other side, and turning the other way. The command writes these
# labels too.
flip_label_map = {0: 1, 1: 0, 6: 7, 7: 6, 14: 15, 15: 14}

train_data = dict(ann_file=ann_file_train, data_prefix=dict(img=f'{data_root}/rawframes'), num_classes=27)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(img=f'{data_root}/rawframes'), num_classes=27)

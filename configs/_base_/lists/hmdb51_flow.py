# TV-L1 flow of HMDB51 on disk, in one folder for the three splits. The environment variable HMDB51_SPLIT says which
# split is read, 1 where it is not set.
split = '{{$HMDB51_SPLIT:1}}'
splits = dict(variable='HMDB51_SPLIT', count=3)
data_root = 'data/hmdb51/flow'
ann_file_train = f'{data_root}/hmdb51_train_split_{split}_videos.txt'
ann_file_val = f'{data_root}/hmdb51_val_split_{split}_videos.txt'
command = (
    f'python tools/data/extract_flow.py data/hmdb51/hmdb51_train_split_{split}_videos.txt {data_root} '
    '--videos data/hmdb51/videos --short-side 256'
)
data_help = f'Make it with: {command}; and the same for val'

train_data = dict(ann_file=ann_file_train, data_prefix=dict(img=data_root), num_classes=51)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(img=data_root), num_classes=51)

# TV-L1 flow of Kinetics-400 on disk.
data_root = 'data/kinetics400'
# What the extraction writes: the flow, and in the same folder its list, by the name of the videos' list.
flow_train, flow_val = f'{data_root}/flow_train', f'{data_root}/flow_val'
ann_file_train = f'{flow_train}/kinetics400_train_list_videos.txt'
ann_file_val = f'{flow_val}/kinetics400_val_list_videos.txt'
command = (
    f'python tools/data/extract_flow.py {data_root}/kinetics400_train_list_videos.txt {flow_train} '
    f'--videos {data_root}/videos_train --short-side 256'
)
data_help = f'Make it with: {command}; and the same for val'

train_data = dict(ann_file=ann_file_train, data_prefix=dict(img=flow_train), num_classes=400)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(img=flow_val), num_classes=400)

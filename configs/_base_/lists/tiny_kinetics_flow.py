# TV-L1 flow of Tiny-Kinetics on disk.
data_root, video_root = 'data/tiny_kinetics', 'data/kinetics400'
# What the extraction writes: the flow, and in the same folder its list, by the name of the videos' list.
flow_train, flow_val = f'{data_root}/flow_train', f'{data_root}/flow_val'
ann_file_train = f'{flow_train}/tiny_kinetics_train_list_videos.txt'
ann_file_val = f'{flow_val}/tiny_kinetics_val_list_videos.txt'
# Frames of half the size move by half as many pixels.
command = (
    f'python tools/data/extract_flow.py {data_root}/tiny_kinetics_train_list_videos.txt {flow_train} '
    f'--videos {video_root}/videos_train --short-side 128 --bound 10'
)
data_help = f'Make it with: {command}; and the same for val'

train_data = dict(ann_file=ann_file_train, data_prefix=dict(img=flow_train), num_classes=150)
val_data = dict(ann_file=ann_file_val, data_prefix=dict(img=flow_val), num_classes=150)

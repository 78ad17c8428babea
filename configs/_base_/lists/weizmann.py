# Weizmann (Gorelick et al., Actions as Space-Time Shapes, PAMI 2007): bending, jumping jack, jumping, jumping in place,
# running, galloping sideways, skipping, walking, waving one hand and waving two, of nine actors; 180x144.
# Protocol: leave one actor out; a network for each of the nine folds is trained on eight actors and tested on the
# ninth, and the accuracy is the mean over the folds (Schindler & Van Gool, CVPR 2008). Here are the 93 videos of the
# archives, three of lena's actions twice. The paper itself leaves single sequences out, with the same actor's others in
# training, and that of 2005 (Blank et al., ICCV) has nine actions, without skipping: neither can be compared.
# The environment variable WEIZMANN_SPLIT says which fold, 1 where it is not set; no actor is left for choices.
split = '{{$WEIZMANN_SPLIT:1}}'
splits = dict(variable='WEIZMANN_SPLIT', count=9)
data_root = 'data/weizmann'
ann_file_train = f'{data_root}/weizmann_train_split_{split}_videos.txt'
ann_file_val = f'{data_root}/weizmann_val_split_{split}_videos.txt'
command = f'python tools/data/weizmann.py {data_root} --videos {data_root}/videos'
data_help = (
    'Get the videos of Weizmann from wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html, put them in '
    f'{data_root}/videos and make the lists with: {command}'
)

data = dict(data_prefix=dict(video=f'{data_root}/videos'), num_classes=10)
train_data = dict(ann_file=ann_file_train, **data)
val_data = dict(ann_file=ann_file_val, **data)

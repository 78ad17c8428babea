# KTH: boxing, handclapping, handwaving, jogging, running and walking of 25 persons, outdoors, outdoors with scale
# changes, outdoors in other clothes, and indoors; grey, 160x120, 25 frames a second.
# Protocol (Schüldt, Laptev & Caputo, ICPR 2004): the unit is a sequence, one of about four that a video is cut into,
# 2,391 in all; accuracy over the 863 sequences of nine test persons, none of whom is trained on. The paper trains on
# eight persons and chooses on eight others; what followed trains on the sixteen, as here, and reports the mean over
# the classes too (Wang et al., BMVC 2009). Papers that leave one person out, or take whole videos, cannot be compared.
# The environment variable KTH_FOLD=tune trains on the paper's training persons and validates on its validation persons,
# for choices that must not look at the test persons.
fold = '{{$KTH_FOLD:test}}'
data_root = 'data/kth'
ann_file_train = f'{data_root}/kth_train_{fold}.txt'
ann_file_val = f'{data_root}/kth_val_{fold}.txt'
command = f'python tools/data/kth.py {data_root}/annotations {data_root} --videos {data_root}/videos'
data_help = (
    f'Get KTH from csc.kth.se/cvap/actions, put 00sequences.txt in {data_root}/annotations and the videos in '
    f'{data_root}/videos, and make the lists with: {command}'
)

data = dict(data_prefix=dict(video=f'{data_root}/videos'), num_classes=6, with_offset=True)
train_data = dict(ann_file=ann_file_train, **data)
val_data = dict(ann_file=ann_file_val, **data)

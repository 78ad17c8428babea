import os

import pytest

from repflow_mm.datasets import CheckedRawframeDataset, CheckedVideoDataset, video_dataset


@pytest.fixture
def read(tmp_path):
    """Read a list of the text given."""

    def read(text, **kwargs):
        ann_file = tmp_path / 'list.txt'
        ann_file.write_text(text)
        kwargs = dict(data_prefix=dict(video='videos'), num_classes=8) | kwargs
        return CheckedVideoDataset(ann_file=str(ann_file), pipeline=[], **kwargs)

    return read


def entries(dataset):
    return [(sample['filename'], sample['label']) for sample in (dataset.get_data_info(i) for i in range(len(dataset)))]


def test_paths_and_labels(read):
    dataset = read('train/a.mp4 3\n\n  train/b c (1).mp4 7  \nd.mp4 0')
    assert entries(dataset) == [('videos/train/a.mp4', 3), ('videos/train/b c (1).mp4', 7), ('videos/d.mp4', 0)]


def test_no_prefix_and_own_delimiter(read):
    assert entries(
        read('/data/a b.mp4,12\n', data_prefix=dict(video=''), num_classes=None, delimiter=',', allow_outside=True)
    ) == [('/data/a b.mp4', 12)]


def labels(dataset):
    """The classes of each sample of a dataset of several labels."""
    vectors = [dataset.get_data_info(i)['label'] for i in range(len(dataset))]
    return [vector.nonzero().flatten().tolist() for vector in vectors]


def test_several_labels(read):
    dataset = read('a.mp4 1 2\n\nb c.mp4 7\nd.mp4\t0 0\n', multi_class=True)
    assert labels(dataset) == [[1, 2], [7], [0]]
    assert [dataset.get_data_info(i)['filename'] for i in range(3)] == [f'videos/{x}.mp4' for x in ('a', 'b c', 'd')]


def test_parts_of_videos(read):
    dataset = read('a.mp4 0 95 3\na.mp4 95 90 3\n', with_offset=True)
    samples = [dataset.get_data_info(i) for i in range(2)]
    assert [(s['filename'], s['offset'], s['total_frames'], s['label']) for s in samples] == [
        ('videos/a.mp4', 0, 95, 3),
        ('videos/a.mp4', 95, 90, 3),
    ]
    with pytest.raises(ValueError, match="line 1: 'a.mp4 3': expected 'frame_dir offset total_frames label'"):
        read('a.mp4 3\n', with_offset=True)
    with pytest.raises(ValueError, match="with_offset=True needs lines of blanks, got delimiter=','"):
        read('a.mp4,0,95,3\n', with_offset=True, delimiter=',')


def test_a_sample_knows_its_line(read):
    assert read('a.mp4 1\n\nb.mp4 2\n').get_data_info(1)['place'].endswith('list.txt, line 3')


def test_classes_without_a_sample_are_told_of_a_training(read, monkeypatch):
    """Labels that count from 1, in a network with a class more."""
    told = []
    monkeypatch.setattr(video_dataset, 'print_log', lambda text, **_: told.append(text.partition(': ')[2]))
    read('a.mp4 1\nb.mp4 2\nc.mp4 3\n', num_classes=4)
    assert told == ['no sample has 1 of the labels 0 to 3, the first is 0']
    read('a.mp4 0\nb.mp4 1 2\n', num_classes=3, multi_class=True)
    read('a.mp4 1\n', num_classes=None)
    read('a.mp4 1\n', num_classes=4, test_mode=True)
    assert len(told) == 1


def test_several_labels_need_num_classes(read):
    with pytest.raises(ValueError, match=r'list\.txt: multi_class=True needs num_classes, got None'):
        read('a.mp4 1 2\n', multi_class=True, num_classes=None)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', r'annotation list .*list\.txt is empty'),
        ('\n  \n', r'annotation list .*list\.txt is empty'),
        ('a.mp4 1\nb.mp4\n', r"list\.txt, line 2: 'b\.mp4': expected 'path label'"),
        ('a.mp4 1\n\nb.mp4 left\n', r"list\.txt, line 3: 'b\.mp4 left': the label must be an integer, got 'left'"),
        ('a.mp4 1.0\n', r"line 1: .*the label must be an integer, got '1\.0'"),
        ('a.mp4 8\n', r'line 1: .*the label must lie in \[0, 8\), got 8'),
        ('a.mp4 -1\n', r'line 1: .*the label must lie in \[0, 8\), got -1'),
    ],
)
@pytest.mark.parametrize('multi_class', [False, True])
def test_bad_lists_are_named_with_the_line(read, text, message, multi_class):
    with pytest.raises(ValueError, match=message):
        read(text, multi_class=multi_class)


def test_negative_label_without_num_classes(read):
    with pytest.raises(ValueError, match=r'the label must be >= 0, got -2'):
        read('a.mp4 -2\n', num_classes=None)


def test_list_that_is_no_text(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xff\xfe\x00 1\n')
    with pytest.raises(ValueError, match=r'annotation list .*list\.txt is no UTF-8 text'):
        CheckedVideoDataset(ann_file=str(path), pipeline=[])


def test_byte_order_mark_is_no_part_of_the_path(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbfa.mp4 1\n')
    assert entries(CheckedVideoDataset(ann_file=str(path), pipeline=[])) == [('a.mp4', 1)]


@pytest.mark.parametrize('multi_class', [False, True])
def test_missing_list(tmp_path, multi_class):
    with pytest.raises(FileNotFoundError, match=rf'{tmp_path}/none\.txt'):
        CheckedVideoDataset(ann_file=f'{tmp_path}/none.txt', pipeline=[], multi_class=multi_class, num_classes=3)


OUTSIDE = ['../a.mp4', 'b/../../a.mp4', '/etc/a.mp4', '../videos2/a.mp4']


@pytest.mark.parametrize('prefix', ['videos', ''])
@pytest.mark.parametrize('path', OUTSIDE)
def test_paths_that_lead_out_of_the_folder(read, path, prefix):
    place = rf"list\.txt, line 2: '{path}' lies outside of the folder {prefix or '.'}; only allow_outside takes it"
    with pytest.raises(ValueError, match=place):
        read(f'a.mp4 0\n{path} 1\n', data_prefix=dict(video=prefix))
    dataset = read(f'a.mp4 0\n{path} 1\n', data_prefix=dict(video=prefix), allow_outside=True)
    assert entries(dataset)[1] == (os.path.join(prefix, path), 1)


@pytest.mark.parametrize('path', OUTSIDE)
def test_paths_of_several_labels_that_lead_out_of_the_folder(read, path):
    with pytest.raises(
        ValueError, match=r'list\.txt, line 2: .*a\.mp4. lies outside of the folder videos; only allow_'
    ):
        read(f'a.mp4 0 1\n{path} 1\n', multi_class=True)
    assert len(read(f'a.mp4 0 1\n{path} 1\n', multi_class=True, allow_outside=True)) == 2


def test_paths_within_the_folder(read, tmp_path):
    paths = ['a.mp4', './a.mp4', 'b/../a.mp4', '..a.mp4', 'a..b/c.mp4', f'{tmp_path}/d/e.mp4']
    dataset = read(''.join(f'{path} 1\n' for path in paths), data_prefix=dict(video=str(tmp_path)))
    assert [name for name, _ in entries(dataset)] == [os.path.join(tmp_path, path) for path in paths]


@pytest.fixture
def read_frames(tmp_path):
    """Read a list of frames of the text given."""

    def read_frames(text, **kwargs):
        (tmp_path / 'list.txt').write_text(text)
        kwargs = dict(data_prefix=dict(img='flow')) | kwargs
        return CheckedRawframeDataset(ann_file=str(tmp_path / 'list.txt'), pipeline=[], **kwargs)

    return read_frames


@pytest.mark.parametrize('multi_class', [False, True])
@pytest.mark.parametrize('path', ['../a', 'b/../../a', '/etc/a'])
def test_frames_outside_of_the_folder(read_frames, path, multi_class):
    options = dict(multi_class=multi_class, num_classes=3)
    with pytest.raises(
        ValueError, match=r'list\.txt, line 2: .*a. lies outside of the folder flow; only allow_outside'
    ):
        read_frames(f'a 5 0\n{path} 5 1\n', **options)
    assert len(read_frames(f'a 5 0\n{path} 5 1\n', allow_outside=True, **options)) == 2


def test_several_labels_of_frames(read_frames):
    dataset = read_frames('a 5 0 2\n\nb c 7 1\n', multi_class=True, num_classes=3)
    assert labels(dataset) == [[0, 2], [1]]
    info = dataset.get_data_info(1)
    assert (info['frame_dir'], info['total_frames'], info['place'][-6:]) == ('flow/b c', 7, 'line 3')


def test_offsets_of_frames(read_frames):
    info = read_frames('a 30 5 2\n', with_offset=True).get_data_info(0)
    assert (info['offset'], info['total_frames'], info['label']) == (30, 5, 2)


@pytest.mark.parametrize(
    ('text', 'options', 'message'),
    [
        (
            'a 5 0\nb.mp4 1\n',
            {},
            r"line 2: 'b\.mp4 1': expected 'frame_dir total_frames label'; a list of videos",
        ),
        ('a 5 0 1\n', {}, r"line 1: 'a 5 0 1': .*got 3 numbers; several labels need multi_class=True"),
        ('a 5 0\n', dict(with_offset=True), r"expected 'frame_dir offset total_frames label'"),
        ('a 0 1\n', {}, r'total_frames must be >= 1, got 0'),
        ('a -2 5 1\n', dict(with_offset=True), r'the offset must be >= 0, got -2'),
        ('a 5 3\n', dict(num_classes=3), r'the label must lie in \[0, 3\), got 3'),
        ('a 5 1 -1\n', dict(num_classes=3, multi_class=True), r'the label must lie in \[0, 3\), got -1'),
        ('a 5 x\n', dict(num_classes=3, multi_class=True), r"the label must be an integer, got 'x'"),
    ],
)
def test_bad_lists_of_frames(read_frames, text, options, message):
    with pytest.raises(ValueError, match=message):
        read_frames(text, **options)


def test_frames_within_the_folder(read_frames):
    info = read_frames('b/a 5 2\n').get_data_info(0)
    assert (info['frame_dir'], info['total_frames'], info['label']) == ('flow/b/a', 5, 2)

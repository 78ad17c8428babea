import os

import pytest

from repflow_mm.datasets import CheckedRawframeDataset, CheckedVideoDataset


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


def test_several_labels_are_left_to_upstream(read):
    dataset = read('a.mp4 1 2\n', multi_class=True)
    assert dataset.get_data_info(0)['label'].nonzero().flatten().tolist() == [1, 2]


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
def test_bad_lists_are_named_with_the_line(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


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


def test_frames_within_the_folder(read_frames):
    info = read_frames('b/a 5 2\n').get_data_info(0)
    assert (info['frame_dir'], info['total_frames'], info['label']) == ('flow/b/a', 5, 2)

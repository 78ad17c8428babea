import json

import pytest

from repflow_mm.datasets.list_makers.diving48 import make_diving48_lists


def item(name, label):
    return dict(vid_name=name, label=label, start_frame=0, end_frame=48)


@pytest.fixture
def annotations(tmp_path):
    folder = tmp_path / 'annotations'
    folder.mkdir()
    vocabulary = [['Back', '15som', '05Twis', 'FREE'], ['Inward', '25som', 'NoTwis', 'PIKE']]
    train, test = [item('-mmq0PT-u8k_00155', 0), item('a_00001', 1)], [item('a_00002', 1)]
    contents = dict(Diving48_vocab=vocabulary, Diving48_V2_train=train, Diving48_V2_test=test)
    for name, content in contents.items():
        (folder / f'{name}.json').write_text(json.dumps(content))
    return folder


def test_lists(tmp_path, annotations):
    make_diving48_lists(annotations, tmp_path / 'out')
    texts = {path.name: path.read_text() for path in (tmp_path / 'out').iterdir()}
    assert texts['diving48_train_list_videos.txt'] == '-mmq0PT-u8k_00155.mp4 0\na_00001.mp4 1\n'
    assert texts['diving48_val_list_videos.txt'] == 'a_00002.mp4 1\n'
    assert texts['diving48_classes.txt'] == 'Back 15som 05Twis FREE\nInward 25som NoTwis PIKE\n'
    assert set(texts) - {'diving48_report.json'} == {
        'diving48_train_list_videos.txt',
        'diving48_val_list_videos.txt',
        'diving48_classes.txt',
    }


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (item('b', 2), 'entry 2: .*: expected a vid_name, and a label from 0 to 1'),
        (dict(label=1), 'entry 2: .*: expected a vid_name'),
        (item(7, 1), 'entry 2: .*: expected a vid_name'),
        (item('a_00001', 1), "entry 2: 'a_00001' is in .*train.json, entry 2 already"),
    ],
)
def test_malformed_entries(tmp_path, annotations, entry, message):
    (annotations / 'Diving48_V2_test.json').write_text(json.dumps([item('a_00002', 1), entry]))
    with pytest.raises(ValueError, match=f'Diving48_V2_test.json, {message}'):
        make_diving48_lists(annotations, tmp_path / 'out')


def test_malformed_vocabulary(tmp_path, annotations):
    (annotations / 'Diving48_vocab.json').write_text('[["Back", "15som"], null]')
    with pytest.raises(ValueError, match=r'vocab.json, entry 2: expected the parts of a dive, got \[None\]'):
        make_diving48_lists(annotations, tmp_path / 'out')


def test_missing_files(tmp_path, annotations):
    (annotations / 'Diving48_vocab.json').unlink()
    with pytest.raises(FileNotFoundError, match='has no file Diving48_vocab.json'):
        make_diving48_lists(annotations, tmp_path / 'out')

import pytest

from repflow_mm.datasets.list_makers.mirrored_labels import flip_labels_beside, mirrored_labels


@pytest.mark.parametrize(
    'pair',
    [
        ('Pulling something from left to right', 'Pulling something from right to left'),
        ('Turning the camera left while filming something', 'Turning the camera right while filming something'),
        ('Turning Hand Clockwise', 'Turning Hand Counterclockwise'),
        ('turn_counter-clockwise', 'TurnClockwise'),
        ('SwipeLeft', 'swipe_right'),
        ('left', 'right'),
        ('spin-cw', 'spin-ccw'),
    ],
)
def test_pairs(pair):
    assert mirrored_labels(['Jumping', *pair]) == {1: 2, 2: 1}


@pytest.mark.parametrize(
    'classes',
    [
        ['Swiping Left', 'Swiping Down'],
        ['cleft', 'cright'],
        ['up', 'down'],
        ['a b', 'a_b'],
        ['left to left', 'right'],
    ],
)
def test_no_pairs(classes):
    assert mirrored_labels(classes) == {}


def test_labels_beside_a_list_are_those_of_its_own_data_set(tmp_path):
    assert flip_labels_beside(tmp_path / 'mine_train_list_videos.txt') == {}
    (tmp_path / 'mine_flip_labels.json').write_text('{"0": 1, "1": 0}')
    (tmp_path / 'mine_small_flip_labels.json').write_text('{"2": 3, "3": 2}')
    assert flip_labels_beside(tmp_path / 'mine_train_list_videos.txt') == {0: 1, 1: 0}
    assert flip_labels_beside(tmp_path / 'mine_small_train_list_videos.txt') == {2: 3, 3: 2}
    (tmp_path / 'mine_flip_labels.json').write_text('[]')
    with pytest.raises(ValueError, match='mine_flip_labels.json is no dict of labels'):
        flip_labels_beside(tmp_path / 'mine_val_list_videos.txt')

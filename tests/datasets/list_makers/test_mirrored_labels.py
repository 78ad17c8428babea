import pytest

from repflow_mm.datasets.list_makers.mirrored_labels import mirrored_labels


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

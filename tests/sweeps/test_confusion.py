import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from repflow_mm.sweeps.confusion import write_confusions
from repflow_mm.sweeps.results import Predictions

FOUND = Predictions(np.array([0, 0, 1]), np.array([[0, 1, 1], [0, 0, 1]]), num_classes=2)


@pytest.fixture
def written(monkeypatch):
    """What is written into the pictures."""
    texts = []
    original = Axes.text
    monkeypatch.setattr(
        Axes, 'text', lambda axes, *args, **kwargs: texts.append(args) or original(axes, *args, **kwargs)
    )
    return texts


def test_places_have_the_counts_over_seeds(tmp_path, written):
    write_confusions(tmp_path / 'a.png', {'row': FOUND}, ['left', 'right'])
    # Predicted from left to right, true from top to bottom.
    assert sorted(written) == [(0, 0, '3'), (1, 0, '1'), (1, 1, '2')]
    assert Image.open(tmp_path / 'a.png').size[0] > 100


def test_many_classes_have_no_numbers(tmp_path, written):
    write_confusions(tmp_path / 'a.png', dict.fromkeys('abcd', FOUND._replace(num_classes=101)))
    assert not written and (tmp_path / 'a.png').is_file()


def test_names_of_another_number_of_classes_are_not_shown(tmp_path, written):
    """Of a head with more classes than the file of names has."""
    write_confusions(tmp_path / 'a.png', {'row': FOUND._replace(num_classes=3)}, ['left', 'right'])
    assert sorted(written) == [(0, 0, '3'), (1, 0, '1'), (1, 1, '2')]

import pytest

from repflow_mm.datasets.lists.class_names import class_names_beside, read_class_names


def test_names_of_the_data_set_of_a_list(tmp_path):
    assert class_names_beside(tmp_path / 'set_val_test.txt') == []
    (tmp_path / 'classes.txt').write_text('up\ndown\n\n')
    (tmp_path / 'set_classes.txt').write_text('left\nright\n')
    (tmp_path / 'set_val_classes.txt').write_text('in\nout\n')
    assert class_names_beside(tmp_path / 'val.txt') == ['up', 'down']
    assert class_names_beside(tmp_path / 'settings_val.txt') == ['up', 'down']
    assert class_names_beside(str(tmp_path / 'set_train.txt')) == ['left', 'right']
    assert class_names_beside(tmp_path / 'set_val_test.txt') == ['in', 'out']


def test_names_of_a_file(tmp_path):
    (tmp_path / 'names.txt').write_text('throw darts\n\nyoga\n')
    assert read_class_names(tmp_path / 'names.txt') == ['throw darts', 'yoga']
    with pytest.raises(FileNotFoundError, match=r'file of class names .*none\.txt does not exist'):
        read_class_names(tmp_path / 'none.txt')

from repflow_mm.datasets.lists.class_names import class_names_beside


def test_names_of_the_data_set_of_a_list(tmp_path):
    assert class_names_beside(tmp_path / 'set_val_test.txt') == []
    (tmp_path / 'classes.txt').write_text('up\ndown\n\n')
    (tmp_path / 'set_classes.txt').write_text('left\nright\n')
    (tmp_path / 'set_val_classes.txt').write_text('in\nout\n')
    assert class_names_beside(tmp_path / 'val.txt') == ['up', 'down']
    assert class_names_beside(tmp_path / 'settings_val.txt') == ['up', 'down']
    assert class_names_beside(str(tmp_path / 'set_train.txt')) == ['left', 'right']
    assert class_names_beside(tmp_path / 'set_val_test.txt') == ['in', 'out']

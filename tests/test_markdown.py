import pytest

from repflow_mm.markdown import markdown_table


def test_table():
    assert markdown_table(('size', 'ms'), [('7×7', 1.5), ('14×14', '–')]) == (
        '| size | ms |\n|---|---|\n| 7×7 | 1.5 |\n| 14×14 | – |'
    )
    assert markdown_table(['a'], []) == '| a |\n|---|'


def test_every_row_has_a_cell_for_each_column():
    with pytest.raises(ValueError, match=r"a row has 1 cells, the header 2: \['x'\]"):
        markdown_table(('a', 'b'), [('x',)])

import pytest

from repflow_mm.markdown import markdown_table, replace_section


def test_table():
    assert markdown_table(('size', 'ms'), [('7×7', 1.5), ('14×14', '–')]) == (
        '| size | ms |\n|---|---|\n| 7×7 | 1.5 |\n| 14×14 | – |'
    )
    assert markdown_table(['a'], []) == '| a |\n|---|'


def test_every_row_has_a_cell_for_each_column():
    with pytest.raises(ValueError, match=r"a row has 1 cells, the header 2: \['x'\]"):
        markdown_table(('a', 'b'), [('x',)])


def test_section_between_markers():
    text = 'before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n'
    new = replace_section(text, 'a', ['| x |'], 'docs.md')
    assert new == 'before\n<!-- a: begin -->\n\n| x |\n\n<!-- a: end -->\nafter\n'
    assert replace_section(new, 'a', ['| x |'], 'docs.md') == new


@pytest.mark.parametrize('text', ['', '<!-- a: end --><!-- a: begin -->', '<!-- a: begin -->' * 2 + '<!-- a: end -->'])
def test_section_without_its_markers(text):
    message = 'docs.md must have the lines <!-- a: begin --> and <!-- a: end -->, each once and in this order'
    with pytest.raises(ValueError, match=message):
        replace_section(text, 'a', [], 'docs.md')

import pytest

from repflow_mm.markdown import markdown_table, read_page, replace_section, section_lines, write_sections


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


def test_sections_are_written_into_a_page_together(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('# Page\n<!-- a: begin -->\nold\n<!-- a: end -->\n<!-- b: begin -->\nkept\n<!-- b: end -->\nend\n')
    write_sections(page, {'a': ['first', 'second']})
    assert section_lines(read_page(page), 'a', page) == ['', '', 'first', 'second', '', '']
    assert 'old' not in page.read_text() and section_lines(page.read_text(), 'b', page) == ['', 'kept', '']
    assert page.read_text().startswith('# Page\n') and page.read_text().endswith('\nend\n')
    before = page.read_text()
    with pytest.raises(ValueError, match='page.md must have the lines <!-- c: begin --> and <!-- c: end -->'):
        write_sections(page, {'a': ['third'], 'c': []})
    assert page.read_text() == before and [path.name for path in tmp_path.iterdir()] == ['page.md']


def test_a_page_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='page.md does not exist'):
        write_sections(tmp_path / 'page.md', {'a': []})
    assert list(tmp_path.iterdir()) == []

import pytest

from repflow_mm.sweeps.rows import Network, Row, load_tables, networks_of

TABLES = """
networks:
  a.py:
    plain: {}
    deep: {model.depth: 50, model.steps: [flow, [conv]]}
tables:
  one: [[first, plain], [second, a.py], [late, [plain, deep]]]
"""


@pytest.fixture
def tables(tmp_path):
    (tmp_path / 'a.py').write_text('model = dict(depth=18)')
    file = tmp_path / 'tables.yml'
    file.write_text(TABLES)
    return file


def test_rows_have_networks_of_the_file_and_configs_beside_it(tables):
    config = tables.parent / 'a.py'
    plain = Network('plain', config, (), tables)
    deep = Network('deep', config, (('model.depth', 50), ('model.steps', ('flow', ('conv',)))), tables)
    bare = Network('a', config)
    found = load_tables(['one', 'deep', str(config)], str(tables))
    assert found['one'] == [Row('first', (plain,)), Row('second', (bare,)), Row('late', (plain, deep))]
    assert found['configs'] == [Row('deep', (deep,)), Row('a', (bare,))]
    assert networks_of(found) == [plain, bare, deep]
    assert deep.describe() == f"{config}, model.depth=50, model.steps=('flow', ('conv',))"


def test_no_tables_are_needed_for_configs(tables):
    assert list(load_tables([str(tables.parent / 'a.py')], 'missing.yml')) == ['configs']


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('[first, plain]', '[first, missing]', "tables.yml: row 'first' names no config and no network: 'missing'"),
        (
            '[first, plain]',
            '[first]',
            r"a row is a name, networks and, .* row of reference, got \['first'\]",
        ),
        ('tables:', '  b.py: {deep: {}}\ntables:', "tables.yml has two networks 'deep', of a.py and of b.py"),
    ],
)
def test_what_a_file_cannot_mean_is_quoted(tables, old, new, message):
    tables.write_text(TABLES.replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_tables(['one'], str(tables))


def test_missing_files_are_named(tables, tmp_path):
    tables.write_text(TABLES.replace('a.py', 'b.py'))
    with pytest.raises(FileNotFoundError, match=r'config .*b\.py does not exist'):
        load_tables(['one'], str(tables))
    with pytest.raises(
        FileNotFoundError, match=r'file of tables .*none\.yml does not exist here: name one with --tables'
    ):
        load_tables(['one'], str(tmp_path / 'none.yml'))

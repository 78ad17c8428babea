"""What stands in a sweep's tables and beside them: references, plots, intervals, pictures, the documentation."""

import pytest
from small_sweep import run

from repflow_mm.sweeps import ablate
from repflow_mm.sweeps import tables as ablation_tables
from repflow_mm.sweeps.costs import Cost, write_costs


def test_rows_are_compared_with_the_row_of_reference(sweep):
    file = sweep / 'tables.yml'
    tables = file.read_text()
    file.write_text(tables + 'references: {good: low}\n')
    _, _, work_dir = run(sweep, 'good')
    text = (work_dir / 'good.md').read_text()
    assert '| good | top-1, % | minus low | seeds |' in text and 'mean ± standard error over the seeds' in text
    assert '| low | 15.0 ± 7.1 | – | 2 |' in text and '| high | 55.0 ± 7.1 | +40.0 ± 0.0 | 2 |' in text
    file.write_text(tables + 'references: {good: lower}\n')
    with pytest.raises(
        SystemExit, match=r"reference of table 'good' must be one of \['low', 'high', 'late'\], got 'lo"
    ):
        run(sweep, 'good')


def test_rows_may_have_references_of_their_own(sweep):
    file = sweep / 'tables.yml'
    rows = '[[low, low.py], [high, high.py, low], [late, [low.py, high.py], high]]'
    file.write_text(file.read_text().replace('[[low, low.py], [high, high.py], [late, [low.py, high.py]]]', rows))
    _, _, work_dir = run(sweep, 'good')
    text = (work_dir / 'good.md').read_text()
    assert '| good | top-1, % | difference to | seeds |' in text
    assert '| low | 15.0 ± 7.1 | – | 2 |' in text
    assert '| high | 55.0 ± 7.1 | low: +40.0 ± 0.0 | 2 |' in text and '| high: ' in text
    file.write_text(file.read_text().replace('high.py, low]', 'high.py, lower]'))
    with pytest.raises(SystemExit, match=r"reference of table 'good' must be one of .*, got 'lower'"):
        run(sweep, 'good')


def test_table_may_ask_for_accuracy_over_time(sweep, monkeypatch):
    file, drawn = sweep / 'tables.yml', []
    monkeypatch.setattr(ablation_tables, 'write_accuracy_over_ms', lambda *arguments: drawn.append(arguments))
    file.write_text(file.read_text() + 'pictures: {good: {plot: accuracy_over_ms}}\nreferences: {good: low}\n')
    work_dir = run(sweep, 'good')[2]
    assert not drawn and (work_dir / 'good.png').is_file()  # bars, as no time is known
    write_costs(work_dir, dict(low=Cost(0.002, 1, 1, 'a CPU'), high=Cost(0.005, 1, 1, 'a CPU')))
    run(sweep, 'good')
    ((path, title, means, milliseconds, references),) = drawn
    assert (path, title) == (work_dir / 'good.png', 'good')
    assert milliseconds == pytest.approx(dict(low=2, high=5, late=7)) and list(means) == list(milliseconds)
    assert references == dict(high='low', late='low')
    file.write_text(file.read_text().replace('accuracy_over_ms', 'pie'))
    with pytest.raises(SystemExit, match="must have as plot 'bars', 'accuracy_over_ms', got 'pie'"):
        run(sweep, 'good')


def test_clips_make_intervals_and_confusion_matrices(sweep):
    file = sweep / 'tables.yml'
    pictures = 'pictures: {good: {confusion: [low, high]}}\n'
    file.write_text(file.read_text() + 'references: {good: low}\n' + pictures)
    (sweep / 'classes.txt').write_text('left\nright\n')
    argv = ['good', '--tables', str(file), '--work-dir', str(sweep / 'work'), '--seeds', '0', '--per-clip']
    ablate.main(argv, show=str)
    text = (sweep / 'work' / 'good.md').read_text()
    assert '| good | top-1, % | interval | mean class, % | minus low | seeds |' in text
    # The stand-in's scores are right in one network and wrong in the other.
    assert '| high | 50.0 | 100.0 to 100.0 | 100.0 | +40.0 (+100.0 to +100.0) | 1 |' in text
    assert '| low | 10.0 | 0.0 to 0.0 | 0.0 | – | 1 |' in text
    assert (sweep / 'work' / 'good_confusion.png').read_bytes().startswith(b'\x89PNG')
    file.write_text(file.read_text().replace('[low, high]', '[lower]'))
    with pytest.raises(SystemExit, match="pictures of table 'good' must be of rows 'low', 'high', 'late', got 'lower'"):
        ablate.main(argv, show=str)
    file.write_text(file.read_text().replace('confusion:', 'heat:'))
    with pytest.raises(SystemExit, match="must have 'plot', 'confusion', 'flow', 'classes', got 'heat'"):
        ablate.main(argv, show=str)


def test_tables_go_into_the_docs(sweep):
    docs = sweep / 'results.md'
    docs.write_text('Before\n\n<!-- good: begin -->\nold\n<!-- good: end -->\n\nAfter\n')
    argv = ['good', '--tables', str(sweep / 'tables.yml'), '--work-dir', str(sweep / 'work'), '--seeds', '0']
    ablate.main([*argv, '--write-docs', str(docs)], show=str)
    text = docs.read_text()
    assert text.startswith('Before\n') and text.endswith('\nAfter\n') and 'old' not in text
    assert (sweep / 'work' / 'good.md').read_text().strip() in text
    assert '![good](results_good.png)' in text and (sweep / 'results_good.png').stat().st_size
    docs.write_text('<!-- good-table: begin -->\n<!-- good-table: end -->\n')
    ablate.main([*argv, '--write-docs', str(docs)], show=str)
    assert '| low | 10.0 | 1 |' in docs.read_text() and '.png' not in docs.read_text()
    docs.write_text('no markers\n')
    with pytest.raises(SystemExit, match='error: .*results.md must have the lines <!-- good: begin --> and'):
        ablate.main([*argv, '--write-docs', str(docs)], show=str)
    with pytest.raises(SystemExit, match='error: .*nowhere.md does not exist'):
        ablate.main([*argv, '--write-docs', str(sweep / 'nowhere.md')], show=str)

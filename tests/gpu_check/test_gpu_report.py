import json

import pytest
from helpers import ROOT

from repflow_mm.gpu_check import environment
from repflow_mm.gpu_check.docs import SECTION, section, write_docs
from repflow_mm.gpu_check.parts import PARTS
from repflow_mm.gpu_check.parts.sanitizer import outcome as sanitizer_outcome
from repflow_mm.gpu_check.parts.training import read_log, summarise
from repflow_mm.gpu_check.report import finish, markdown, new_report, verdict, write_report
from repflow_mm.gpu_check.tables import Table, milliseconds, ratio
from repflow_mm.markdown import replace_section

PARITY = dict(table='parity', case='N1', name='u', error=1e-5, bound=2e-5, ok=True)
BEGIN, END = (f'<!-- {SECTION}: {edge} -->' for edge in ('begin', 'end'))
DOCS = f'# Figures\n\n{BEGIN}\nbefore\n{END}\n\nmore\n'


def outcome(name, *records, status='done', reason=''):
    return dict(name=name, status=status, reason=reason, limit=60.0, seconds=3.0, records=list(records))


def report(*outcomes, rehearsal=False):
    found = new_report('gpu_check --minutes 8', rehearsal)
    found['parts'] = list(outcomes)
    finish(found)
    return found


def test_it_works_if_everything_holds():
    assert verdict(report(outcome('parity', PARITY))) == (True, 'works')


@pytest.mark.parametrize(
    'part, reason',
    [
        (outcome('parity', PARITY | dict(ok=False, seconds=3.0)), 'parity: N1, u, 1e-05, 2e-05'),
        (outcome('parity'), 'parity checked nothing'),
        (outcome('parity', PARITY, status='cut off', reason='too slow'), 'parity cut off: too slow'),
        (outcome('parity', status='left out', reason='needs triton'), 'parity left out: needs triton'),
        (outcome('solver', status='failed', reason='ended with status 1'), 'solver failed: ended with status 1'),
        (outcome('networks', dict(table='networks', network='RGB', step=[1.0], ok=False)), 'networks: RGB'),
    ],
)
def test_what_does_not_hold_is_the_reason(part, reason):
    assert verdict(report(outcome('concurrency', dict(ok=True)), part)) == (False, f'does not, because {reason}')


def test_times_that_were_not_reached_are_no_fault():
    parts = outcome('networks', status='cut off', reason='slow'), outcome('training', status='left out', reason='cv2')
    assert verdict(report(outcome('parity', PARITY), *parts))[0]


def test_a_report_that_is_not_finished_says_so():
    found = report(outcome('parity', PARITY)) | dict(finished=False)
    assert verdict(found) == (False, 'does not, because the check has not come to its end')


def test_the_report_is_written_in_both_forms(tmp_path):
    write_report(report(outcome('parity', PARITY)), tmp_path)
    assert json.loads((tmp_path / 'report.json').read_text())['parts'][0]['records'] == [PARITY]
    lines = (tmp_path / 'report.md').read_text().splitlines()
    assert '| N1 | u | 1e-05 | 2e-05 | yes |' in lines
    assert lines[-1] == 'works'


def test_missing_packages_are_named(monkeypatch):
    missing = ('av', 'tqdm')
    monkeypatch.setattr(environment, 'missing_modules', lambda names: [name for name in names if name in missing])
    monkeypatch.setattr(environment, 'find_program', lambda: None)
    assert list(environment.missing_packages()) == ['av', 'tqdm', 'compute-sanitizer']
    lines = markdown(dict(report(), missing=environment.missing_packages()))
    assert '- missing: av (training)' in lines
    assert '- missing: compute-sanitizer (memory and race checks)' in lines


def test_every_table_says_that_it_is_not_measured_without_a_report():
    tables = [table for part in PARTS for table in part.load().tables([])]
    assert section(None).count('not measured') == len(tables) >= len(PARTS)


def test_the_docs_get_card_driver_versions_command_and_figures(tmp_path):
    device = outcome('device', dict(table='device', name='A card', driver='580.1'))
    write_report(report(device, outcome('parity', PARITY)), tmp_path)
    docs = tmp_path / 'docs.md'
    docs.write_text(DOCS)
    write_docs(tmp_path / 'report.json', docs)
    text = docs.read_text()
    assert 'A card, driver 580.1; repflow_mm ' in text and '`gpu_check --minutes 8`' in text
    assert '| N1 | u | 1e-05 | 2e-05 | yes |' in text and 'not measured' in text
    assert 'before' not in text and text.startswith('# Figures\n') and text.endswith(f'{END}\n\nmore\n')
    write_docs(tmp_path / 'report.json', docs)
    assert docs.read_text() == text


@pytest.mark.parametrize(
    'change, docs, message',
    [
        (dict(rehearsal=True), DOCS, 'is the report of a rehearsal, whose figures mean nothing'),
        (dict(finished=False), DOCS, 'is the report of a check that did not come to its end'),
        ({}, '# Figures\n', 'must have the lines <!-- gpu_check: begin --> and <!-- gpu_check: end -->'),
    ],
)
def test_docs_refuse_what_is_no_result(tmp_path, change, docs, message):
    write_report(report(outcome('parity', PARITY)) | change, tmp_path)
    (tmp_path / 'docs.md').write_text(docs)
    with pytest.raises(ValueError, match=message):
        write_docs(tmp_path / 'report.json', tmp_path / 'docs.md')
    assert (tmp_path / 'docs.md').read_text() == docs


def test_the_docs_hold_either_no_figures_or_those_of_a_report():
    text = (ROOT / 'docs' / 'benchmarks.md').read_text()
    unmeasured = replace_section(text, SECTION, section(None), ROOT / 'docs' / 'benchmarks.md')
    assert text == unmeasured or 'driver' in text.split(BEGIN)[1].split(END)[0]


def test_docs_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='report.json does not exist'):
        write_docs(tmp_path / 'report.json', tmp_path / 'docs.md')


@pytest.mark.parametrize(
    'status, text, expected',
    [
        (0, '=== TOOL\n=== ERROR SUMMARY: 0 errors\n', dict(summary='ERROR SUMMARY: 0 errors', ok=True)),
        (86, '========= RACECHECK SUMMARY: 2 hazards\n', dict(summary='RACECHECK SUMMARY: 2 hazards', ok=False)),
        (1, 'no permission\n', dict(summary='could not run: no permission')),
        (1, '', dict(summary='could not run: status 1')),
    ],
)  # fmt: skip
def test_what_the_sanitizer_says(status, text, expected):
    assert sanitizer_outcome(status, text) == expected


def test_a_loss_that_is_not_finite_is_counted(tmp_path):
    folder = tmp_path / '1' / 'vis_data'
    folder.mkdir(parents=True)
    lines = ['{"loss": 2.0, "time": 0.5}', '{"loss": NaN, "time": 0.1}', '{"acc/top1": 0.25}', '{"loss": 1.']
    (folder / 'scalars.json').write_text('\n'.join(lines))
    found = summarise(read_log(tmp_path), ended=True)
    assert (found['steps'], found['not_finite'], found['top1'], found['ok']) == (2, 1, [0.25], False)
    assert summarise([], ended=True)['ok'] is False and 'ok' not in summarise([], ended=False)


def test_cells():
    assert milliseconds([1e-3, 5e-3, 2e-3]) == '2' and milliseconds(None) == '–'
    assert ratio([4.0], [2.0]) == '2×' and ratio(None, [1.0]) == '–'
    assert Table('T', '', ('a',), [(1,)]).markdown() == ['### T', '', '| a |', '|---|', '| 1 |']
    assert Table('T', 'About.', ('a',), []).markdown() == ['### T', '', 'About.', '', 'not measured']

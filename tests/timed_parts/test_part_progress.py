from repflow_mm.timed_parts.progress import updater


def outcome(status, *records, reason=''):
    return dict(name='parity', status=status, reason=reason, limit=60.0, seconds=3.0, records=list(records))


def test_news_are_in_the_report_when_it_is_written_and_shown_once(capsys):
    report, written = {}, []
    update = updater(report, lambda: written.append(report['parts']))
    news = [[outcome('waiting')], [outcome('running')], [outcome('running', {})], [outcome('done', {}, {})]]
    for outcomes in news:
        update(outcomes)
    assert written == news
    assert capsys.readouterr().err == 'parity: running, for 60 s at most\nparity: done after 3 s, 2 records\n'


def test_why_a_part_has_no_more_records_is_shown(capsys):
    updater({}, lambda: None)([outcome('left out', reason='needs triton')])
    assert capsys.readouterr().err == 'parity: left out after 3 s, 0 records, needs triton\n'

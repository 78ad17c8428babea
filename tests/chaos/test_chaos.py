import faulthandler
import json
import os
import random
import signal
import time
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from repflow_mm.chaos import cli, half_precision, hostile_files, kills, ranks, videos
from repflow_mm.chaos.failing_rank import FAILURES, FailingRankHook
from repflow_mm.chaos.hostile.caches import cache_offers, ways_to_plant, write_library
from repflow_mm.chaos.hostile.checkpoints import write_pickle
from repflow_mm.chaos.hostile.offer import OF_OTHERS, Offer, maker
from repflow_mm.chaos.parts import PARTS, emit_untried, run_in_child, seed_of, tries_of, write_settings
from repflow_mm.chaos.report import is_as_wanted, rows_of, table, write_docs
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.ops.cpu import build
from repflow_mm.testing.video_corpus import make_corpus
from repflow_mm.timed_parts.context import Context


def outcome(*records, name='kills', status='done', reason=''):
    return dict(name=name, status=status, reason=reason, records=list(records))


def record(kind, ok=True, count=1, why=''):
    return dict(kind=kind, ok=ok, count=count, why=why)


def test_table_counts_what_went_as_wanted():
    outcomes = [
        outcome(record('SIGKILL'), record('SIGINT', ok=False, why='a | b'), record('SIGKILL')),
        outcome(record('rep_flow', count=50), name='arguments'),
    ]
    assert rows_of(outcomes) == [
        ('Killed trainings', 'SIGKILL', 2, 2, ''),
        ('Killed trainings', 'SIGINT', 1, 0, 'a | b'),
        ('Random arguments', 'rep_flow', 50, 50, ''),
    ]
    assert '| Killed trainings | SIGINT | 1 | 0 | a \\| b |' in table(outcomes)
    assert not is_as_wanted(outcomes) and is_as_wanted(outcomes[1:])
    assert not is_as_wanted([outcome(status='cut off', reason='took longer')])
    assert 'cut off: took longer' in table([outcome(status='cut off', reason='took longer')])


def test_what_there_was_no_time_for_is_a_row(tmp_path):
    records = [record('lists')]
    emit_untried(lambda **untried: records.append(untried), ['lists', 'caches', 'caches'])
    found = outcome(*records, name='hostile_files')
    late = 'there was no time for all'
    assert rows_of([found]) == [('Hostile files', 'lists', 1, 1, late), ('Hostile files', 'caches', 0, 0, late)]
    assert not is_as_wanted([found])


@pytest.mark.parametrize(('part', 'ways'), [(ranks, len(FAILURES)), (half_precision, 8)])
def test_parts_without_time_say_so(tmp_path, monkeypatch, part, ways):
    monkeypatch.setenv('MOTION_CLIPS', '')
    monkeypatch.setattr(part, 'prepare', lambda folder: None)
    monkeypatch.setattr(half_precision, 'compare', lambda name, folder: ('', ''))
    write_settings(tmp_path, 0)
    found = []
    part.run(lambda **untried: found.append(untried), Context(tmp_path, -1))
    assert len(found) == ways and all(not untried['ok'] and untried['count'] == 0 for untried in found)


def test_each_kind_of_kill_comes_once_before_any_comes_again():
    counts = dict.fromkeys(kills.PLACES, 4)
    dealt = kills._kills(random.Random(0), counts, 7.0)
    first, second = ([next(dealt) for _ in kills.KINDS_OF_KILLS] for _ in range(2))
    assert {kill.name for kill in first} == {kill.name for kill in second} and len({kill.name for kill in first}) == 15
    assert [kill.name for kill in first] != [kill.name for kill in second]
    for place in kills.PLACES:
        moments = [kill.moment for kill in first + second if kill.place == place]
        assert sorted(moments[:4]) == [1, 2, 3, 4], 'each change, before one is met again'
    assert all(0 <= kill.moment <= 7 for kill in first if kill.place == kills.AT_RANDOM)
    assert kills.Kill(signal.SIGINT, 'an fsync', 2).where(counts) == 'at an fsync, number 2 of 4'


def test_table_goes_between_the_markers(tmp_path):
    docs = tmp_path / 'docs.md'
    docs.write_text('a\n<!-- chaos: begin -->\nold\n<!-- chaos: end -->\nb\n')
    report = dict(command='tools/chaos.py', started='today', versions=dict(torch='2'), parts=[outcome(record('x'))])
    write_docs(report, docs)
    text = docs.read_text()
    assert (
        text.startswith('a\n') and text.endswith('b\n') and 'old' not in text and '| Killed trainings | x | 1 |' in text
    )
    kept = text.replace('| Killed trainings | x | 1 | 1 |', '| Killed trainings | x | 7 | 7 |').replace('today', 'then')
    docs.write_text(kept)
    write_docs(dict(report, parts=[outcome(record('y'), name='ranks')]), docs)
    text = docs.read_text()
    assert (
        '- Failing ranks: `tools/chaos.py`, today; torch 2\n- Killed trainings: `tools/chaos.py`, then; torch 2\n'
        in text
    )
    assert text.index('| Failing ranks | y | 1 | 1 |') < text.index('| Killed trainings | x | 7 | 7 |')
    write_docs(dict(report, parts=[outcome(record('z'))]), docs)
    assert (
        '| x |' not in docs.read_text()
        and '- Failing ranks, Killed trainings: `tools/chaos.py`, today' in docs.read_text()
    )
    with pytest.raises(FileNotFoundError, match='none.md does not exist'):
        write_docs(report, tmp_path / 'none.md')


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--minutes', '0'], '--minutes must be > 0, got 0.0'),
        (['--seed', '-1'], '--seed must be >= 0, got -1'),
        (['--most', '0'], '--most must be >= 1, got 0'),
        (['--parts', 'fire'], "invalid choice: 'fire'"),
    ],
)
def test_bad_flags(flags, message, capsys):
    with pytest.raises(SystemExit):
        cli.parse_args(flags)
    assert message in capsys.readouterr().err


def test_command_line_runs_parts_within_its_time_and_says_how_it_went(tmp_path, capsys):
    start = time.monotonic()
    assert (
        cli.main(['--minutes', '2', '--most', '4', '--parts', 'arguments', '--out', str(tmp_path), '--seed', '5']) == 0
    )
    assert time.monotonic() - start < 120
    report = json.loads((tmp_path / 'report.json').read_text())
    assert [part['name'] for part in report['parts']] == ['arguments'] and report['seed'] == 5
    assert '| Random arguments | rep_flow |' in capsys.readouterr().out
    assert '| Random arguments | rep_flow |' in (tmp_path / 'report.md').read_text()


def test_parts_can_be_imported_and_have_shares():
    assert all(callable(part.load().run) and part.seconds > 0 for part in PARTS)


def test_parts_find_the_seed_and_how_much_they_may_try(tmp_path):
    write_settings(tmp_path, 11)
    context = Context(tmp_path, 1)
    assert seed_of(context) == 11 and tries_of(context, 50) == 50
    write_settings(tmp_path, 11, most=7)
    assert (tries_of(context, 50), tries_of(context, 5)) == (7, 5)


def test_children_have_a_status_an_output_and_a_limit(tmp_path):
    log = tmp_path / 'log'
    assert run_in_child(lambda: os.write(1, b'said'), log, 60) == 0 and log.read_text() == 'said'
    assert run_in_child(lambda: 1 / 0, log, 60) == 1 and 'ZeroDivisionError' in log.read_text()
    assert run_in_child(lambda: time.sleep(60), log, 60, (signal.SIGKILL, 0.1)) == -signal.SIGKILL
    with pytest.raises(TimeoutError, match='did not end within 0 s'):
        run_in_child(lambda: time.sleep(60), log, 0.2)


@pytest.mark.parametrize('place', kills.PLACES)
def test_changes_on_disk_are_counted_and_can_be_the_last(tmp_path, place):
    def change(kill):
        changes = kills.Changes(kill)
        with open(tmp_path / 'a.tmp', 'wb') as file:
            torch.save(dict(a=torch.zeros(3)), file)
            os.fsync(file.fileno())
        (tmp_path / 'a.tmp').rename(tmp_path / 'b.tmp')
        os.replace(tmp_path / 'b.tmp', tmp_path / 'a.pth')
        (tmp_path / 'a.pth').unlink()
        (tmp_path / 'count').write_text(json.dumps(changes.counts))

    assert run_in_child(lambda: change(None), tmp_path / 'log', 60) == 0
    counts = json.loads((tmp_path / 'count').read_text())
    writes = counts.pop('a write')
    assert writes > 3 and counts == {'an fsync': 1, 'a rename': 2, 'a removal': 1}
    kill = kills.Kill(signal.SIGKILL, place, {'a write': writes}.get(place) or counts[place])
    assert run_in_child(lambda: change(kill), tmp_path / 'log', 60) == -signal.SIGKILL
    left = {'a write': 'a.tmp', 'an fsync': 'a.tmp', 'a rename': 'b.tmp', 'a removal': 'a.pth'}[place]
    assert [path.name for path in tmp_path.glob('[ab].*')] == [left]


def test_differences_between_runs_are_named():
    run = {'epoch_2.pth': dict(weight=torch.ones(2))}
    assert kills.difference(run, run) == ''
    assert kills.difference({}, run) == 'checkpoints are none instead of epoch_2.pth'
    other = {'epoch_2.pth': dict(weight=torch.zeros(2))}
    assert kills.difference(other, run) == 'weight of epoch_2.pth differs'


def test_videos_are_held_to_what_is_known_of_them(tmp_path):
    corpus = make_corpus(tmp_path / 'videos', names=['mpeg4.mp4', 'sound_only.m4a'])
    assert videos.wrong_results(tmp_path / 'videos', corpus) == ['', '']
    good, bad = corpus if corpus[0].is_good else corpus[::-1]
    silent = type(good)(bad.path, 'damaged', is_silent=True)
    assert videos._wrong_result(silent, 'corrupt, odd') == ''
    assert videos._wrong_result(silent, '').startswith('not reported, and then ')
    assert videos._wrong_result(type(good)(good.path, 'damaged', is_silent=True), '') == ''
    assert 'good, and reported as' in videos._wrong_result(good, 'corrupt, odd')
    assert 'not reported' in videos._wrong_result(bad, '')
    shifted = type(good)(good.path, 'good', numbers=tuple(number + 1 for number in good.numbers), size=good.size)
    assert 'show' in videos._wrong_result(shifted, '')


@pytest.fixture
def offer(tmp_path):
    """Give a file to a tool that does what ``tool(arguments)`` does; returns what is wrong."""

    def give(tool):
        made = Offer('files', 'a file', tool, lambda folder, mark: [str(folder), str(mark)])
        return hostile_files.accept(made, tmp_path / 'offer')

    return give


def test_hostile_file_that_is_read_safely(offer):
    assert offer(lambda arguments: open('written_inside', 'w').close()) == ''


def test_hostile_file_that_is_executed(offer):
    assert offer(lambda arguments: os.mkdir(arguments[1])) == 'what is in it was executed'


def test_hostile_file_that_is_written_elsewhere(offer):
    assert 'outside of its folder' in offer(lambda arguments: open('../escaped', 'w').close())


def test_hostile_file_that_removes_what_lies_elsewhere(offer):
    assert offer(lambda arguments: os.remove(f'../{OF_OTHERS}')).startswith('removed ')


def test_each_kind_of_hostile_file_comes_first_once():
    made = [Offer(kind, name, None, None) for kind, name in ('a1', 'a2', 'b3', 'a4', 'b5', 'c6')]
    assert [offer.name for offer in hostile_files.by_turns(made)] == ['1', '3', '6', '2', '4', '5']


def test_hostile_file_that_crashes_its_tool(offer):
    def crash(arguments):
        faulthandler.disable()  # pytest's, which would show it as a crash of the tests
        os.kill(os.getpid(), signal.SIGSEGV)

    assert offer(crash) == 'ended by signal 11'


def test_payload_runs_where_it_is_trusted(tmp_path):
    path = write_pickle(tmp_path, tmp_path / 'mark')
    with pytest.raises(RuntimeError, match='Invalid magic number'):  # of torch's own format, which comes first
        torch.load(path, weights_only=False)
    assert (tmp_path / 'mark').is_dir()


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Plant a library in a cache, told by ``spoil(library)``, and load the solver from it; returns what is wrong."""
    if not build.find_compilers():
        pytest.skip('no C compiler')
    sources = tmp_path / 'sources'
    sources.mkdir()
    (sources / 'rep_flow.c').write_text('int answer(void) { return 42; }\n')
    monkeypatch.setattr(build, 'SOURCE_DIR', sources)

    def load(arguments):
        os.environ['REPFLOW_MM_CACHE'] = arguments[0]
        assert build.load_library().answer() == 42

    def give(spoil):
        made = maker(partial(write_library, spoil), lambda cache: [str(cache)])
        return hostile_files.accept(Offer('caches', 'a library', load, made), tmp_path / 'offer')

    return give


def test_planted_library_runs_where_it_is_trusted(plant):
    assert plant(lambda library: None) == 'what is in it was executed'


@pytest.mark.parametrize('spoil', dict(ways_to_plant()).values(), ids=dict(ways_to_plant()))
def test_planted_library_of_others_is_not_loaded(plant, spoil):
    assert plant(spoil) == ''


def test_planted_download_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', '')
    offers = cache_offers(kills.prepare(tmp_path))
    (offer,) = [offer for offer in offers if offer.name.startswith('downloads, load_from=')]
    assert hostile_files.accept(offer, tmp_path / 'offer') == ''
    assert 'it is no plain checkpoint' in (tmp_path / 'offer.log').read_text()


def test_a_rank_runs_out_of_memory_and_says_so(tmp_path):
    hook, runner = FailingRankHook('runs out of memory', rank=0, iteration=5), SimpleNamespace(iter=4)
    hook.before_train_iter(runner, 4)
    runner.iter = 5
    assert run_in_child(lambda: hook.before_train_iter(runner, 5), tmp_path / 'log', 60) == 1
    assert ranks.SHOWN['runs out of memory'] in (tmp_path / 'log').read_text()


def test_failures_of_ranks_have_names():
    with pytest.raises(ValueError, match=r"how must be one of \('raises', .*got 'sings'"):
        FailingRankHook('sings')


def test_a_training_in_half_precision_is_that_in_float32(tmp_path, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', '')
    half_precision.prepare(tmp_path, MotionClipOptions(train=16, val=8, size=32, length=8))
    found = {dtype: half_precision.trained('RepFlowResNet', tmp_path, dtype, 1) for dtype in ('float32', 'bfloat16')}
    assert all(0 <= accuracy <= 1 and skipped == 0 for accuracy, skipped in found.values())
    monkeypatch.setattr(half_precision, 'trained', lambda *arguments: results[arguments[2]])
    results = dict(float32=(0.9, 0), bfloat16=(0.5, 2), float16=(0.0, 1))
    assert half_precision.compare('RepFlowResNet', tmp_path) == (
        '2 steps were not finite; accuracy 0.500, in float32 0.900, which noise does not explain',
        '1 steps were not finite',
    )
    results = dict(float32=(0.9, 0), bfloat16=(0.88, 0), float16=(0.0, 0))
    assert not any(half_precision.compare('RepFlowResNet', tmp_path))

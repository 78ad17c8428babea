import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from helpers import ROOT

from repflow_mm.timed_parts.part import Part
from repflow_mm.timed_parts.runner import CUT_OFF, DONE, FAILED, LEFT_OUT, last_line, new_folder, run_parts, time_limit

MODULES = dict(
    quick="def run(emit, context): emit(table='t', seconds=context.seconds, device=context.device)",
    failing="def run(emit, context):\n    emit(table='t', first=1)\n    raise ValueError('the third tile is missing')",
    hanging="""
import subprocess, sys, time
def run(emit, context):
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    emit(table='t', child=child.pid)
    time.sleep(600)
""",
    importing='def run(emit, context):\n    import no_such_package',
    noting="""
import time
imported = time.monotonic()
def run(emit, context): emit(table='t', imported=imported, began=time.monotonic())
""",
    sleeping="""
import time
def run(emit, context):
    time.sleep(3)
    emit(table='t', ended=time.monotonic())
""",
    incomplete='import no_such_package',
    crashing='import os, signal\ndef run(emit, context): os.kill(os.getpid(), signal.SIGSEGV)',
)


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Modules that part processes can import."""
    for name, text in MODULES.items():
        (tmp_path / f'{name}_part.py').write_text(text)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    folder = tmp_path / 'parts'
    folder.mkdir()
    return folder


def part(name, seconds=100.0, **settings):
    return Part(name, name.title(), f'{name}_part', seconds, **settings)


def run(folder, *parts, seconds=300.0):
    """The outcomes by name, and what was known at each update."""
    updates = []

    def update(outcomes):
        updates.append({outcome['name']: (outcome['status'], len(outcome['records'])) for outcome in outcomes})

    outcomes = run_parts(parts, folder, seconds, rehearsal=True, update=update)
    return SimpleNamespace(updates=updates, **{outcome['name']: outcome for outcome in outcomes})


def is_running(pid):
    """Whether the process is there and has not ended yet."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_a_part_that_fails_keeps_its_records_and_stops_no_other(modules):
    found = run(modules, part('failing'), part('quick'))
    assert found.failing['status'] == FAILED
    assert found.failing['reason'] == 'ended with status 1: ValueError: the third tile is missing'
    assert found.failing['records'] == [dict(table='t', first=1)]
    assert found.quick['status'] == DONE and found.quick['records'][0]['device'] == 'cpu'


def test_a_part_that_crashes_is_said_to_have_crashed(modules):
    found = run(modules, part('crashing'))
    assert found.crashing['status'] == FAILED
    assert found.crashing['reason'].startswith(f'ended by signal {signal.SIGSEGV.value}')


def test_a_part_that_hangs_is_killed_with_its_children_and_keeps_its_records(modules):
    # Its share of the time is enough to start Python, even on a busy machine.
    found = run(modules, part('hanging', seconds=5), part('quick', seconds=95), seconds=100)
    assert found.hanging['status'] == CUT_OFF
    assert found.hanging['reason'] == 'took longer than its limit of 5 s'
    (record,) = found.hanging['records']
    deadline = time.monotonic() + 10
    while is_running(record['child']) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(record['child'])
    assert found.quick['status'] == DONE


def test_a_part_whose_modules_are_missing_is_left_out_and_names_them(modules):
    found = run(modules, part('quick', needs=('torch', 'no_such_package', 'nor_this')))
    assert found.quick['status'] == LEFT_OUT
    assert found.quick['reason'] == 'needs no_such_package, nor_this, which cannot be imported'


def test_a_part_that_finds_something_missing_on_its_way_is_left_out(modules):
    found = run(modules, part('importing'))
    assert found.importing['status'] == LEFT_OUT
    assert found.importing['reason'] == "ModuleNotFoundError: No module named 'no_such_package'"


def test_a_part_that_cannot_be_imported_is_left_out_too(modules):
    found = run(modules, part('quick'), part('incomplete'))
    assert found.incomplete['status'] == LEFT_OUT
    assert found.incomplete['reason'] == "ModuleNotFoundError: No module named 'no_such_package'"


def test_a_part_is_imported_while_the_one_before_it_runs(modules):
    found = run(modules, part('sleeping'), part('noting'))
    assert found.sleeping['status'] == found.noting['status'] == DONE
    (before,), (noted,) = found.sleeping['records'], found.noting['records']
    assert noted['imported'] < before['ended'] < noted['began'] and found.noting['seconds'] < 2


def test_a_part_that_is_left_out_is_not_started(modules):
    found = run(modules, part('sleeping'), part('noting', needs=('no_such_package',)), part('quick'))
    assert [found.sleeping['status'], found.noting['status'], found.quick['status']] == [DONE, LEFT_OUT, DONE]
    assert sorted(path.name for path in modules.glob('*.log')) == ['quick.log', 'sleeping.log']


def test_a_part_that_waits_ends_with_the_check(modules, tmp_path):
    (tmp_path / 'waiting_part.py').write_text(
        f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}}\\n')"
    )

    class Stop(Exception):
        pass

    def update(outcomes):
        if outcomes[0]['records']:
            deadline = time.monotonic() + 60
            while not (tmp_path / 'pid').exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            raise Stop

    with pytest.raises(Stop):
        run_parts([part('hanging'), part('waiting')], modules, 300, rehearsal=True, update=update)
    assert not is_running(int((tmp_path / 'pid').read_text()))


def test_there_is_news_at_the_start_and_the_end_of_each_part_and_with_each_record(modules):
    found = run(modules, part('failing'), part('quick'))
    states = [(update['failing'], update['quick']) for update in found.updates]
    assert states[0] == (('running', 0), ('waiting', 0))
    assert (('failed', 1), ('waiting', 0)) in states and (('failed', 1), ('running', 0)) in states
    assert states[-1] == (('failed', 1), ('done', 1))


def test_parts_end_when_the_check_is_killed(modules, tmp_path):
    script = f"""
from pathlib import Path
from repflow_mm.timed_parts.part import Part
from repflow_mm.timed_parts.runner import run_parts
run_parts([Part('hanging', '', 'hanging_part', 1)], Path({str(modules)!r}), 600, True, print)
"""
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    check = subprocess.Popen([sys.executable, '-c', script], env={**os.environ, 'PYTHONPATH': path})
    records, deadline = modules / 'hanging.jsonl', time.monotonic() + 60
    while not records.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    check.kill()
    check.wait()
    child = int(records.read_text().split(':')[-1].strip(' }\n'))
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def test_time_that_a_part_leaves_goes_to_those_after_it():
    parts = [part('a', 10), part('b', 20), part('c', 30)]
    assert time_limit(parts, 60) == pytest.approx(10)
    assert time_limit(parts[1:], 60) == pytest.approx(24)
    assert time_limit(parts[2:], -1) == 0


def test_what_a_part_needs_at_least_is_kept_for_it():
    parts = [part('a', 10), part('b', 30, least=40)]
    assert [time_limit(parts, seconds) for seconds in (80, 40, 20)] == pytest.approx([10, 0, 0])
    assert time_limit(parts[1:], 70) == pytest.approx(70)
    both = [part('a', 10, least=10), part('b', 30, least=30)]
    assert [time_limit(both, seconds) for seconds in (80, 20)] == pytest.approx([20, 5])


def test_a_silent_end_is_described_too(tmp_path):
    (tmp_path / 'empty.log').write_text('\n')
    assert last_line(tmp_path / 'empty.log', -9) == 'ended by signal 9'


def test_the_folder_of_parts_holds_nothing_of_an_earlier_run(tmp_path):
    (tmp_path / 'parts' / 'triton_cache').mkdir(parents=True)
    (tmp_path / 'parts' / 'parity.jsonl').touch()
    (tmp_path / 'report.json').touch()
    assert new_folder(tmp_path) == tmp_path / 'parts' and list((tmp_path / 'parts').iterdir()) == []
    assert (tmp_path / 'report.json').exists()

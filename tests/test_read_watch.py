import copy
import ctypes
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT

from repflow_mm import read_watch
from repflow_mm.read_watch import NOTE_SIZE, ReadNotes, ReadWatch

# What a decoder may do: wait without Python's lock, or with it.
WAITS = {'without_lock': time.sleep, 'with_lock': ctypes.PyDLL(None).sleep}


def read(notes, name, wait, seconds=60):
    with notes.reading(name):
        wait(seconds)


@pytest.fixture
def watch():
    watch = ReadWatch(timeout=1)
    yield watch
    watch.stop()


def started(watch, name, wait, context='fork'):
    process = multiprocessing.get_context(context).Process(target=read, args=(watch.notes, name, wait))
    process.start()
    return process


@pytest.mark.parametrize('kind', WAITS)
def test_a_process_that_hangs_is_ended_and_its_file_named(watch, kind):
    process = started(watch, 'list.txt, line 3: a b.mp4', WAITS[kind])
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert watch.ended() == ['list.txt, line 3: a b.mp4']


def test_spawned_processes_are_watched_too(watch):
    process = started(watch, 'a.mp4', time.sleep, 'spawn')
    process.join(60)
    assert process.exitcode == -signal.SIGKILL and watch.ended() == ['a.mp4']


def test_many_short_reads_are_no_long_one(watch):
    end = time.monotonic() + 4
    while time.monotonic() < end:
        read(watch.notes, 'a.mp4', time.sleep, 0.2)
    assert watch.ended() == [] and watch.open_reads() == []


def test_time_in_which_a_process_is_stopped_does_not_count(watch):
    process = started(watch, 'a.mp4', time.sleep)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(4)
    assert process.is_alive() and watch.ended() == []
    os.kill(process.pid, signal.SIGCONT)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


def test_what_is_read_now(watch):
    with watch.notes.reading('a.mp4'):
        assert watch.open_reads() == ['a.mp4']
    assert watch.open_reads() == []


@pytest.mark.parametrize('name', ['\udcff.mp4', 'x' * 2 * NOTE_SIZE], ids=['no_utf8', 'long'])
def test_odd_names(watch, name):
    with watch.notes.reading(name):
        (found,) = watch.open_reads()
    assert name.startswith(found) and len(found) > min(len(name), NOTE_SIZE) - 20


def test_other_peoples_processes_are_left_alone(tmp_path):
    assert read_watch._running_time(os.getpid(), 1.0, os.getpid()) == 1.0
    assert read_watch._running_time(os.getppid(), 1.0, os.getpid()) == 0.0
    assert read_watch._running_time(2**22 + 1, 1.0, os.getpid()) == 0.0


def test_notes_can_be_copied_and_outlive_the_watcher():
    watch = ReadWatch(timeout=1)
    watch.stop()
    assert not watch.folder.exists()
    for notes in (watch.notes, copy.deepcopy(watch.notes), pickle.loads(pickle.dumps(watch.notes))):
        assert isinstance(notes, ReadNotes)
        read(notes, 'a.mp4', time.sleep, 0)


PROGRAM = """
import ctypes, os, sys
from repflow_mm.read_watch import ReadWatch
watch = ReadWatch(timeout=1)
print(watch.folder, watch.process.pid, os.getpid(), flush=True)
with watch.notes.reading('a.mp4'):
    if sys.argv[1] == 'hang':
        ctypes.PyDLL(None).sleep(60)
"""


@pytest.mark.parametrize('how', ['hang', 'leave'])
def test_the_process_itself_is_ended_too_and_nothing_stays(how):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-c', PROGRAM, how]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == (-signal.SIGKILL if how == 'hang' else 0)
    folder, pid, own_pid = run.stdout.split()
    line = f'error: a.mp4: reading it took more than 1 s, so its process {own_pid} is ended. {read_watch.ADVICE}\n'
    assert run.stderr == (line if how == 'hang' else '') and 'check_videos' in line
    end = time.monotonic() + 30
    while Path(folder).exists() or Path('/proc', pid).exists():
        assert time.monotonic() < end
        time.sleep(0.1)

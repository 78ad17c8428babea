import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from helpers import ROOT

from repflow_mm.gpu_check import cli
from repflow_mm.gpu_check.parts import PARTS
from repflow_mm.gpu_check.parts.compilation import Solve, list_jobs
from repflow_mm.timed_parts import runner


@pytest.fixture(scope='module')
def rehearsal(tmp_path_factory):
    """Exit status, output and folder of a whole rehearsal, run as users run the script."""
    folder = tmp_path_factory.mktemp('gpu check')
    command = [sys.executable, ROOT / 'tools' / 'gpu_check.py', '--rehearse', '--out', folder]
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600)
    return done, folder


def test_a_rehearsal_runs_every_part(rehearsal):
    done, folder = rehearsal
    report = json.loads((folder / 'report.json').read_text())
    states = {outcome['name']: (outcome['status'], outcome['reason']) for outcome in report['parts']}
    assert states == {part.name: ('done', '') for part in PARTS}, done.stderr
    assert report['rehearsal'] and report['finished'] and report['works']
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == 'rehearsal without a GPU: works'


def test_a_rehearsal_compares_each_value_of_its_cases(rehearsal):
    report = json.loads((rehearsal[1] / 'report.json').read_text())
    (records,) = (outcome['records'] for outcome in report['parts'] if outcome['name'] == 'parity')
    compared = [(record['case'], record['name']) for record in records if record['table'] == 'parity']
    names = {'u', 'x', 'theta', 'lam', 'tau', 'image_kernel', 'flow_kernel', 'div_kernel'}
    assert len(set(compared)) == len(compared) == 16 and {name for _, name in compared} == names


def test_the_docs_do_not_take_a_rehearsal(rehearsal, capsys):
    arguments = ['--write-docs', str(rehearsal[1] / 'report.json'), '--docs', str(ROOT / 'docs' / 'benchmarks.md')]
    before = (ROOT / 'docs' / 'benchmarks.md').read_text()
    assert cli.main(arguments) == cli.CANNOT_RUN
    assert 'is the report of a rehearsal' in capsys.readouterr().err
    assert (ROOT / 'docs' / 'benchmarks.md').read_text() == before


@pytest.fixture
def outcomes(monkeypatch):
    """Makes a check end with given outcomes instead of running its parts."""

    def use(**records):
        def run_parts(parts, folder, seconds, rehearsal, update):
            common = dict(status=runner.DONE, reason='', limit=1.0, seconds=1.0)
            found = [dict(name=part.name, records=records.get(part.name, []), **common) for part in parts]
            update(found)
            return found

        monkeypatch.setattr(cli, 'run_parts', run_parts)
        monkeypatch.setattr(cli.signal, 'signal', lambda *_: None)

    return use


@pytest.mark.parametrize('holds, status', [(True, cli.WORKS), (False, cli.DOES_NOT_WORK)])
def test_the_exit_status_is_that_of_parity(outcomes, tmp_path, capsys, holds, status):
    outcomes(parity=[dict(table='parity', case='N1', name='tau', error=1.0, bound=0.5, ok=holds)])
    assert cli.main(['--rehearse', '--parts', 'parity', '--out', str(tmp_path)]) == status
    ending = 'works' if holds else 'does not, because parity: N1, tau, 1, 0.5'
    assert capsys.readouterr().out.splitlines()[-1] == f'rehearsal without a GPU: {ending}'
    assert json.loads((tmp_path / 'report.json').read_text())['works'] is holds


def test_what_parts_leave_that_is_large_is_removed_and_all_of_it_counts_as_time(monkeypatch, tmp_path):
    def run_parts(parts, folder, seconds, rehearsal, update):
        (folder / 'motion_clips').mkdir()
        (folder / 'parity.log').touch()
        limits.append(seconds)

    limits = []
    monkeypatch.setattr(cli, 'run_parts', run_parts)
    monkeypatch.setattr(cli.signal, 'signal', lambda *_: None)
    cli.main(['--rehearse', '--minutes', '2', '--out', str(tmp_path)])
    assert [path.name for path in (tmp_path / 'parts').iterdir()] == ['parity.log']
    assert 60 < limits[0] < 120


def test_progress_names_each_part_once(outcomes, tmp_path, capsys):
    outcomes(parity=[dict(table='repeated', shape=[1], times=2, ok=True)])
    cli.main(['--rehearse', '--parts', 'parity', '--out', str(tmp_path)])
    assert capsys.readouterr().err == 'parity: done after 1 s, 1 records\n'


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA device')
def test_without_a_gpu_it_says_how_to_rehearse(tmp_path, capsys):
    assert cli.main(['--out', str(tmp_path / 'out')]) == cli.CANNOT_RUN
    assert 'finds no CUDA device; --rehearse runs the check without one' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_minutes_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        cli.parse_args(['--minutes', '-1'])
    assert '--minutes must be > 0, got -1' in capsys.readouterr().err


def test_a_check_that_is_ended_leaves_a_report(tmp_path):
    command = [sys.executable, '-m', 'repflow_mm.gpu_check', '--rehearse', '--parts', 'parity', '--out', str(tmp_path)]
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': str(ROOT)}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / 'report.json').exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == cli.CANNOT_RUN
    report = json.loads((tmp_path / 'report.json').read_text())
    assert not report['finished'] and report['parts'][0]['name'] == 'parity'


# Each argument is the numbers of the jobs of a process, which says what their kernels are called in the cache.
COMPILING_PROCESSES = """
import os, sys
from triton.runtime.jit import JITFunction
from repflow_mm.gpu_check.parts.compilation import Solve, compile_job, list_jobs
JITFunction._do_compile = lambda self, *args: print(self.cache_key, flush=True)
jobs = list_jobs([Solve(2, 2, 2, None, 'backward')], 'cpu')
for numbers in sys.argv[1:]:
    if os.fork() == 0:
        for number in numbers:
            compile_job(jobs[int(number)])
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(runner.missing_modules(['triton']), reason='triton is not installed')
def test_what_a_process_compiles_first_does_not_change_what_solves_find_in_the_cache():
    """Job 0 is the forward kernel, which computes the states again, and job 1 the backward kernel."""
    command = [sys.executable, '-c', COMPILING_PROCESSES, '01', '10']
    done = subprocess.run(command, env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, text=True)
    forward, backward, *of_other_order = done.stdout.split()
    assert [backward, forward] == of_other_order and backward != forward


@pytest.mark.skipif(runner.missing_modules(['triton']), reason='triton is not installed')
def test_each_kernel_is_compiled_once():
    solves = [Solve(28, 28, 20, None, 'forward'), Solve(112, 112, 20, None, 'forward')]
    jobs = list_jobs(solves, 'cpu')
    assert [job.solve.height for job in jobs] == [28, 112, 112, 112]  # streamed: first, middle and last launch
    assert list_jobs([*solves, Solve(27, 28, 5, None, 'forward')], 'cpu')[: len(jobs)] == jobs

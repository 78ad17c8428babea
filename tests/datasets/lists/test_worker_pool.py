import errno
import os
import signal
import time

import pytest
import torch

from repflow_mm.datasets.lists import worker_pool
from repflow_mm.datasets.lists.worker_pool import run_all


def work_or_not(item, alive):
    if item == 'hang':
        time.sleep(60)
    if item == 'crash':
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 'exit':
        os._exit(3)
    return dict(status='ok')


def test_hang_and_crash_end_neither_the_run_nor_other_videos():
    items = ['hang', 'crash', 'a', 'exit', 'b']
    results = dict(run_all(work_or_not, items, jobs=2, timeout=1.5))
    assert [results[item]['status'] for item in items] == ['timeout', 'crash', 'ok', 'crash', 'ok']
    assert results['hang']['message'] == 'no result and no sign of life for 1.5 s'
    assert results['crash']['message'] == f'the video ended its process with signal {signal.SIGKILL.value}'
    assert results['exit']['message'] == 'the video ended its process with exit status 3'


def work_long(item, alive):
    for _ in range(4):
        time.sleep(0.5)
        if item == 'telling':
            alive()
    return dict(status='ok')


def test_signs_of_life_extend_the_time():
    results = dict(run_all(work_long, ['telling', 'silent'], jobs=2, timeout=1.2))
    assert results['telling']['status'] == 'ok' and results['silent']['status'] == 'timeout'


def fail(item, alive):
    if item == 1:
        raise OSError(errno.ENOSPC, 'no space')
    return dict(status='ok')


def test_what_the_work_raises_ends_the_run():
    done = []
    with pytest.raises(OSError, match='no space') as error:
        done.extend(item for item, _ in run_all(fail, range(4), jobs=1, timeout=30))
    assert error.value.errno == errno.ENOSPC and 'in fail' in str(error.value.__cause__)


def tell_process(item, alive):
    return dict(status='ok', process=os.getpid(), threads=torch.get_num_threads())


def test_workers_are_renewed(monkeypatch):
    monkeypatch.setattr(worker_pool, 'VIDEOS_PER_WORKER', 2)
    results = [result for _, result in run_all(tell_process, range(5), 1, 30)]
    processes = [result['process'] for result in results]
    assert processes[0] == processes[1] != processes[2] == processes[3] != processes[4]
    assert {result['threads'] for result in results} == {1}


def test_no_videos():
    assert list(run_all(work_or_not, [], jobs=2, timeout=30)) == []

from types import SimpleNamespace

import pytest

from repflow_mm.apis.data_errors import one_line_data_errors
from repflow_mm.datasets import BadDataError
from repflow_mm.engine import ReadWatchHook
from repflow_mm.engine.hooks.bad_data_hook import TooMuchBadDataError


def runner(ended=(), open_reads=(), unfinished=()):
    """A runner whose watcher knows of these reads."""
    hook = ReadWatchHook()
    hook.watch = SimpleNamespace(
        ended=lambda: list(ended), open_reads=lambda: list(open_reads), unfinished_reads=lambda: list(unfinished)
    )
    return SimpleNamespace(hooks=[object(), hook])


def ending(error, runner):
    """What the program ends with."""
    with pytest.raises(SystemExit) as caught, one_line_data_errors(runner):
        raise error
    return caught.value.code


def test_broken_data():
    assert ending(BadDataError('list, line 3: video a is empty'), runner()) == 'error: list, line 3: video a is empty'


def test_broken_data_of_a_worker_comes_with_its_traceback():
    text = (
        'Caught BadDataError in DataLoader worker process 1.\nOriginal Traceback (most recent call last):\n  File "a"\n'
    )
    message = f'{text}repflow_mm.datasets.bad_data.BadDataError: list, line 3: video a is empty\n'
    assert ending(BadDataError(message), runner()) == 'error: list, line 3: video a is empty'


@pytest.mark.parametrize(('rank', 'code'), [('0', 'error: 9 of 10 samples are broken'), ('1', 1)])
def test_the_first_rank_says_what_all_know(monkeypatch, rank, code):
    monkeypatch.setenv('RANK', rank)
    assert ending(TooMuchBadDataError('9 of 10 samples are broken'), runner()) == code


def test_what_the_watcher_has_said_is_not_said_again():
    assert ending(RuntimeError('DataLoader worker (pid 3) is killed by signal: Killed.'), runner(ended=['a'])) == 1


def test_a_loader_that_waits_too_long():
    error = RuntimeError('DataLoader timed out after 9 seconds')
    code = ending(error, runner(open_reads=['list, line 3: a', 'list, line 4: b']))
    assert code.startswith(f'error: {error}. It was reading list, line 3: a; list, line 4: b. check_videos finds')


def test_a_worker_that_crashes():
    error = RuntimeError('DataLoader worker (pid 3) is killed by signal: Segmentation fault. ')
    code = ending(error, runner(open_reads=['b'], unfinished=['list, line 3: a']))
    assert 'It was reading list, line 3: a. check_videos' in code


@pytest.mark.parametrize('error', [ConnectionResetError('reset by peer'), EOFError()], ids=['reset', 'end'])
def test_a_worker_that_crashes_while_it_sends(error):
    assert 'It was reading list, line 3: a. check_videos' in ending(error, runner(unfinished=['list, line 3: a']))
    with pytest.raises(type(error)), one_line_data_errors(runner()):
        raise error


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('CUDA out of memory'),
        RuntimeError('DataLoader worker (pid 3) is killed by signal: Killed. '),
        ValueError('a wrong shape'),
        FileNotFoundError('no font'),
    ],
)
def test_other_errors_are_raised(error):
    with pytest.raises(type(error)) as caught, one_line_data_errors(runner()):
        raise error
    assert caught.value is error


def test_without_a_watcher_a_loaders_errors_are_raised():
    with pytest.raises(RuntimeError), one_line_data_errors(SimpleNamespace(hooks=[])):
        raise RuntimeError('DataLoader timed out after 9 seconds')

import signal

from repflow_mm.timed_parts.own_process import call_in_processes


def test_a_crash_is_that_of_one_call():
    ended = {}
    # Signal 0 does nothing; SIGKILL ends the process that sends it to itself.
    for signum, result in call_in_processes(signal.raise_signal, (0, signal.SIGKILL, 0), processes=2):
        try:
            ended.setdefault(signum, []).append(result())
        except Exception as error:
            ended.setdefault(signum, []).append(type(error).__name__)
    assert ended == {0: [None, None], signal.SIGKILL: ['BrokenProcessPool']}

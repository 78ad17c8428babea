import os
import signal
import subprocess

from repflow_mm.processes import leave_signals_to_parent

# The child says that it is ready, and that it is well, one byte each.
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def test_signals_of_others_are_left_to_the_parent():
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        leave_signals_to_parent(SIGNALS)
        while True:
            os.write(write_end, b'.')
            signal.sigtimedwait([signal.SIGUSR2], 0.05)
    os.read(read_end, 1)
    for number in SIGNALS:
        subprocess.run(['kill', f'-{int(number)}', str(child)], check=True)
    for _ in range(4):
        assert os.read(read_end, 1) == b'.'
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1

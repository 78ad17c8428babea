import sys

import pytest

from repflow_mm.progress import progress_bar


@pytest.mark.parametrize(('is_terminal', 'interval'), [(True, 0.1), (False, 30)])
def test_a_log_file_gets_a_line_now_and_then(monkeypatch, is_terminal, interval):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: is_terminal, raising=False)
    with progress_bar(range(3), 'title', unit='clip') as bar:
        assert list(bar) == [0, 1, 2]
    assert bar.mininterval == interval

"""The browser of other tests."""

import time
import uuid

import pytest
from browser import browser_page, processes_with


def test_a_page_that_hangs_is_an_error_and_leaves_no_browser():
    start, flag = time.monotonic(), f'--test={uuid.uuid4()}'
    killed = pytest.raises(TimeoutError, match='the browser was killed after 3 s')
    with killed, browser_page(flag, seconds=3) as (page, _):
        assert processes_with(flag)
        page.set_content('<script>setTimeout(() => { while (true); }, 10)</script>')
        page.wait_for_timeout(200)
        page.evaluate('1 + 1')
    assert time.monotonic() - start < 30 and not processes_with(flag)

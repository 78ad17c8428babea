"""The browser of other tests."""

import time

import pytest
from browser import browser_page


def test_a_page_that_hangs_is_an_error_and_leaves_no_browser():
    start = time.monotonic()
    with pytest.raises(TimeoutError, match='the browser was killed after 3 s'), browser_page(seconds=3) as (page, _):
        page.set_content('<script>setTimeout(() => { while (true); }, 10)</script>')
        page.wait_for_timeout(200)
        page.evaluate('1 + 1')
    assert time.monotonic() - start < 30

"""A headless Chromium for tests, which notes every request of the pages."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
# Playwright waits without end for a browser that hangs when it is to be closed.
SECONDS = 240


@contextmanager
def browser_page(*flags: str, seconds: float = SECONDS, **options) -> Iterator[tuple[object, list[str]]]:
    """A page of Chromium with its flags and Playwright's options of a context, and the addresses that it asks for.

    The test is skipped where there is no Chromium (``apt-get install chromium``) or no Playwright. A browser that is
    still there after so many seconds is killed, which is an error.
    """
    api = pytest.importorskip('playwright.sync_api')
    if CHROMIUM is None:
        pytest.skip('no chromium on the PATH')
    with api.sync_playwright() as playwright:
        # Pages are drawn by the processor, without an emulated GPU, whose threads are many.
        mark = f'--mark={uuid.uuid4()}'
        flags = ['--no-sandbox', '--disable-gpu', '--disable-software-rasterizer', mark, *flags]
        with _killed_after(seconds, mark):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            try:
                page, requests = browser.new_context(**options).new_page(), []
                page.on('request', lambda request: requests.append(request.url))
                yield page, requests
            finally:
                browser.close()


@contextmanager
def _killed_after(seconds: float, mark: str) -> Iterator[None]:
    """Kill the browser with this flag, and what it has started, if the block takes longer; then that is the error."""
    killed = threading.Event()

    def kill():
        killed.set()
        for process in processes_with(mark):
            with suppress(OSError):
                os.killpg(process, signal.SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if killed.is_set():
            raise TimeoutError(f'the browser was killed after {seconds:g} s')


def processes_with(flag: str) -> list[int]:
    """The processes that were started with a flag."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        with suppress(OSError):
            if flag.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found

"""A headless Chromium for tests, which notes every request of the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


@contextmanager
def browser_page(*flags: str, **options) -> Iterator[tuple[object, list[str]]]:
    """A page of Chromium with its flags and Playwright's options of a context, and the addresses that it asks for.

    The test is skipped where there is no Chromium (``apt-get install chromium``) or no Playwright.
    """
    api = pytest.importorskip('playwright.sync_api')
    if CHROMIUM is None:
        pytest.skip('no chromium on the PATH')
    with api.sync_playwright() as playwright:
        flags = ['--no-sandbox', '--disable-gpu', *flags]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page, requests = browser.new_context(**options).new_page(), []
        page.on('request', lambda request: requests.append(request.url))
        try:
            yield page, requests
        finally:
            browser.close()

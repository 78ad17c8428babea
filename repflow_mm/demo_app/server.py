"""The app's server, whose pages ask nothing of other machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import gradio as gr
from fastapi import FastAPI, Request, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from repflow_mm.demo_app.limits import MOST_BYTES

LOOPBACK = ('127.0.0.1', 'localhost', '::1')
# The browser refuses everything that comes from elsewhere: fonts, scripts, counting of visitors.
POLICY = '; '.join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "frame-ancestors 'none'",
    )
)


def make_server(page: gr.Blocks, host: str = LOOPBACK[0]) -> FastAPI:
    """The server of a page.

    Args:
        page (gr.Blocks): The page.
        host (str): The address that it is asked for by; others are refused, so that no other page can reach it under
            a name of its own. Defaults to the loopback address.
    """
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    allowed = LOOPBACK if host in LOOPBACK else ('*',)
    server.add_middleware(TrustedHostMiddleware, allowed_hosts=[*allowed])

    @server.middleware('http')
    async def add_policy(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await follow(request)
        response.headers['Content-Security-Policy'] = POLICY
        return response

    theme = gr.themes.Base(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    private = dict(ssr_mode=False, enable_monitoring=False, mcp_server=False, footer_links=[])
    return gr.mount_gradio_app(server, page, '/', max_file_size=MOST_BYTES, theme=theme, **private)

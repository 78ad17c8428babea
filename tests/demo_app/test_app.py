"""The app as a browser sees it."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
import torch
from browser import browser_page
from helpers import ROOT

from repflow_mm.apis.flow_viewers import FramesViewer
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.demo_app.explorer import Explorer

pytest.importorskip('gradio')
CONFIG = 'configs/demo/repflow_r18_motion_clips.py'
SECONDS = 120


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    path = tmp_path_factory.mktemp('weights') / 'a.pth'
    torch.save(MODELS.build(Config.fromfile(ROOT / CONFIG).model).state_dict(), path)
    return path


@pytest.fixture(scope='module')
def app(motion_clips, checkpoint):
    """The address of the app in a process of its own."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-m', 'repflow_mm.demo_app', '--port', port, '--clips', motion_clips / 'train']
    command += ['--method', 'dis', '--config', CONFIG, '--checkpoint', checkpoint]
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f'http://127.0.0.1:{port} (Ctrl-C ends it)\n'
        _wait_for(port, process)
        yield f'http://127.0.0.1:{port}/'
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(SECONDS)
    assert status == 0, 'Ctrl-C ends it without an error'


def _wait_for(port, process):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError('the app does not answer')


def test_only_this_machine_reaches_it(app):
    port = f'{urlsplit(app).port:04X}'
    table = Path('/proc/net/tcp').read_text() + Path('/proc/net/tcp6').read_text()
    listening = re.findall(rf'([0-9A-F]+):{port} [0-9A-F]+:0000 0A', table)
    assert listening == ['0100007F'], 'it listens on 127.0.0.1 alone'


def test_the_browser_is_told_to_ask_no_other_machine(app):
    policy = urlopen(app, timeout=SECONDS).headers['Content-Security-Policy']
    assert "default-src 'self' data: blob:" in policy and '*' not in policy and 'http' not in policy


def test_names_of_other_pages_are_refused():
    from starlette.testclient import TestClient

    from repflow_mm.demo_app.interface import build_interface
    from repflow_mm.demo_app.server import make_server

    page = build_interface(Explorer([FramesViewer()]), dict(a='a.mp4'))
    client = TestClient(make_server(page), base_url='http://127.0.0.1')
    assert client.get('/').status_code == 200
    assert client.get('/', headers=dict(host='other.example')).status_code == 400


def opened(page, address):
    """Open the app; returns the address of its first picture."""
    page.set_default_timeout(1000 * SECONDS)
    page.goto(address)
    page.wait_for_selector('#picture img')
    return page.locator('#picture img').first.get_attribute('src')


def changed(page, before):
    """Wait for a picture that is another than before; returns its address."""
    script = "before => { const i = document.querySelector('#picture img'); return i && i.src !== before; }"
    page.wait_for_function(script, arg=before)
    return page.locator('#picture img').first.get_attribute('src')


def hosts(requests):
    """Where the requests went, those aside that stay inside of the page."""
    return {urlsplit(url).netloc for url in requests if not url.startswith(('data:', 'blob:'))}


def test_a_control_changes_the_picture(app, motion_clips):
    with browser_page(viewport=dict(width=1280, height=1000)) as (page, requests):
        source = opened(page, app)
        assert 'class' in page.locator('#prediction').inner_text()
        values = dict(tau='0.05', lam='0.9', theta='0.9', num_iters='1', frame='3')
        for name, value in values.items():
            number = page.locator(f'#{name} input[type=number]')
            number.fill(value)
            number.press('Enter')
            source = changed(page, source)

        page.locator('#place input').click()
        page.get_by_role('option', name='frames').click()
        source = changed(page, source)
        page.locator('#channel input').click()
        page.get_by_role('option', name='green').click()
        source = changed(page, source)

        video = sorted((motion_clips / 'val').glob('up_*'))[0]
        page.locator('#upload input[type=file]').first.set_input_files(str(video))
        changed(page, source)
        assert hosts(requests) == {urlsplit(app).netloc}


def test_an_answer_that_is_late_leaves_the_frame_where_it_was_put_since(app):
    with browser_page() as (page, _):
        source = opened(page, app)
        for name, value in dict(tau='0.11', frame='3').items():
            page.locator(f'#{name} input[type=number]').fill(value)
            page.locator(f'#{name} input[type=number]').press('Enter')
        source = changed(page, source)
        page.wait_for_load_state('networkidle')
        page.wait_for_timeout(1000)
        assert page.locator('#frame input[type=number]').input_value() == '3'


COUNT_BYTES = """
const start = MediaRecorder.prototype.start;
MediaRecorder.prototype.start = function (...given) {
    window.recorded = 0;
    this.addEventListener('dataavailable', event => { window.recorded += event.data.size; });
    return start.apply(this, given);
};
"""


@pytest.fixture
def camera(tmp_path):
    """Flags of a browser whose camera shows a moving texture, and which lets pages see it."""
    path = tmp_path / 'camera.y4m'
    with path.open('wb') as file:
        file.write(b'YUV4MPEG2 W64 H64 F8:1 Ip A1:1 C420\n')
        for frame in render_clip(MotionClipOptions(train=1, val=1, size=64, length=24), 'train', 0):
            planes = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_BGR2YUV_I420)
            file.write(b'FRAME\n' + planes.tobytes())
    device = '--use-fake-device-for-media-stream', f'--use-file-for-fake-video-capture={path}'
    return *device, '--use-fake-ui-for-media-stream'


def test_a_recording_of_the_camera_is_shown(app, camera):
    with browser_page(*camera) as (page, requests):
        page.add_init_script(COUNT_BYTES)
        source = opened(page, app)
        page.get_by_label('Capture from camera').click()
        page.get_by_text('Click to Access Webcam').click()
        page.get_by_role('button', name='start recording').click()
        page.wait_for_function('window.recorded > 8000')
        page.get_by_role('button', name='start recording').click()  # which says "Stop"
        changed(page, source)
        assert page.get_by_text('cannot be read').count() == 0
        assert hosts(requests) == {urlsplit(app).netloc}


def test_what_is_no_video_is_said(app, tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    with browser_page() as (page, _):
        opened(page, app)
        page.locator('#upload input[type=file]').first.set_input_files(str(tmp_path / 'text.mp4'))
        page.get_by_text('text.mp4 is no video that can be read').first.wait_for()

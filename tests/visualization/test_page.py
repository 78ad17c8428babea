import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from browser import browser_page
from PIL import Image

from repflow_mm.visualization import flow_to_image
from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack
from repflow_mm.visualization.page import page_of


@pytest.fixture(scope='module')
def clip():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (4, 3, 32, 48), generator=generator, dtype=torch.uint8)
    tracks = [
        FlowTrack.of(layer, channel, torch.randn(2, 3, 4, 6, generator=generator))
        for layer, channel in (('block1.flow0', 'mean'), ('block1.flow0', 'channel 3'), ('block2.flow0', 'mean'))
    ]
    classical = FlowTrack.of('classical', 'tvl1', torch.randn(2, 3, 32, 48, generator=generator))
    return ClipFlow(frames, tracks, classical, [('left </script>', 0.75), ('right', 0.25)])


@pytest.fixture(scope='module')
def page_file(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp('page') / 'flow.html'
    path.write_text(page_of(clip, 'a <b> {{DATA}} clip.mp4'), encoding='utf-8')
    return path


def test_nothing_is_loaded_from_elsewhere(page_file):
    text = page_file.read_text()
    assert "default-src 'none'" in text
    assert not re.findall(r'(?:src|href)="(?!data:)[^"]*"|https?:|@import|url\(', text)


def test_names_cannot_leave_their_place(page_file):
    text = page_file.read_text()
    assert '<h1>a &lt;b&gt; {{DATA}} clip.mp4</h1>' in text
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', text)[1])
    assert data['scores'] == [['left </script>', 0.75], ['right', 0.25]]


def test_a_fine_grid_is_made_coarser(clip):
    large = FlowTrack.of('a', 'mean', torch.ones(2, 3, 130, 200))
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page_of(ClipFlow(clip.frames, [large])))[1])
    assert data['tracks'][0]['size'] == [64, 98] and data['tracks'][0]['grid'] == [200, 130]
    assert data['classical'] is None


def pixels(page, canvas):
    """The pixels (H, W, 3) of a canvas."""
    script = "id => document.getElementById(id).toDataURL('image/png')"
    picture = base64.b64decode(page.evaluate(script, canvas).partition(',')[2])
    return np.array(Image.open(io.BytesIO(picture)).convert('RGB'), dtype=int)


def test_page_in_a_browser(clip, page_file):
    with browser_page() as (page, requests):
        page.goto(page_file.as_uri())
        page.wait_for_selector('body[data-ready]', timeout=60_000)
        assert page.locator('#layer option').all_inner_texts() == ['block1.flow0', 'block2.flow0']
        assert page.locator('#channel option').all_inner_texts() == ['mean', 'channel 3']
        assert 'left </script>' in page.locator('#scores').inner_text()

        shown = pixels(page, 'learned-flow')
        height, width = shown.shape[0] // 4, shown.shape[1] // 6
        middles = shown[height // 2 :: height, width // 2 :: width]  # (4, 6, 3)
        track = clip.tracks[0]
        expected = flow_to_image(track.at(0, 4), track.longest).permute(1, 2, 0).numpy()
        # The page holds the flow in steps of 1/127, which turn the short ones a little.
        assert np.abs(middles - expected).max() <= 8

        over, picture = pixels(page, 'learned-over'), pixels(page, 'picture')
        page.locator('#channel').select_option(label='channel 3')
        assert not np.array_equal(pixels(page, 'learned-flow'), shown) and not np.array_equal(
            pixels(page, 'learned-over'), over
        )
        assert np.array_equal(pixels(page, 'picture'), picture)
        page.locator('#layer').select_option('block2.flow0')
        assert page.locator('#channel option').all_inner_texts() == ['mean']
        assert 'block2.flow0 mean' in page.locator('#learned-title').inner_text()

        classical = pixels(page, 'classical-flow')
        page.locator('#frame').fill('2')
        assert not np.array_equal(pixels(page, 'picture'), picture)
        assert not np.array_equal(pixels(page, 'classical-flow'), classical)
        assert page.locator('#number').inner_text() == '3 of 4'
        assert [url for url in requests if not url.startswith(('file:', 'data:'))] == []


def test_light_and_dark(page_file):
    def is_dark(page):
        colour = page.evaluate('getComputedStyle(document.body).backgroundColor')
        return np.mean([int(value) for value in re.findall(r'\d+', colour)[:3]]) < 60

    with browser_page() as (page, _):
        for scheme in ('light', 'dark'):
            page.emulate_media(color_scheme=scheme)
            page.goto(page_file.as_uri())
            page.wait_for_selector('body[data-ready]', timeout=60_000)
            assert is_dark(page) == (scheme == 'dark')
            page.locator('#theme').click()
            assert is_dark(page) == (scheme == 'light')

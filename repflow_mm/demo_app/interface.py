"""The app's page: its controls, and what happens when one of them is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import gradio as gr

from repflow_mm.apis.flow_viewers import SolverSettings
from repflow_mm.demo_app.explorer import Explorer, Shot
from repflow_mm.demo_app.recordings import whole_recording
from repflow_mm.visualization.clip_flow import MEAN

# Range and step of each term that can be set.
TERMS = {'num_iters': (1, 100, 1), 'theta': (0.01, 1, 0.01), 'lam': (0.01, 1, 0.01), 'tau': (0.01, 1, 0.01)}
TITLES = {'num_iters': 'iterations', 'theta': 'theta', 'lam': 'lambda', 'tau': 'tau'}
INTRODUCTION = """## Representation flow
The flow that a flow layer sees in a clip, as colour and over the frame, beside classical flow."""


def build_interface(explorer: Explorer, clips: Mapping[str, str]) -> gr.Blocks:
    """The page.

    Args:
        explorer (Explorer): What computes the pictures.
        clips (Mapping[str, str]): Clips to choose from: their names and files.
    """
    with gr.Blocks(title='repflow_mm', analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                clip, upload, place, channel, *terms = _controls(explorer, clips)
            with gr.Column(scale=3):
                frame = gr.Slider(1, 2, 1, step=1, label='frame', elem_id='frame')
                look = dict(format='png', show_label=False, buttons=['fullscreen', 'download'], elem_id='picture')
                picture = gr.Image(label='flow', interactive=False, **look)
                prediction = gr.Label(label='prediction', num_top_classes=5, elem_id='prediction')
        # What was uploaded is shown until a clip is chosen.
        clip.input(lambda: None, outputs=upload, api_name=False)
        inputs = [clip, upload, place, channel, frame, *terms]
        live = dict(inputs=inputs, outputs=[picture, prediction, frame], show_progress='minimal')
        show, go_to = _showing(explorer, clips), _going(explorer)
        changes = [part.change for part in (clip, upload, channel, frame, *terms)]
        gr.on([page.load, *changes], show, trigger_mode='always_last', api_name='show', **live)
        moved = place.change(go_to, [place, channel], [channel, *terms], api_name='go_to')
        moved.then(show, api_name=False, **live)
    return page


def _controls(explorer: Explorer, clips: Mapping[str, str]) -> list[gr.components.Component]:
    """The choices of clip, upload, place and channel, and the sliders of the terms."""
    place = explorer.places[0]
    look = dict(height=280, buttons=[], elem_id='upload')
    return [
        gr.Dropdown(list(clips), value=next(iter(clips)), label='clip', elem_id='clip'),
        gr.Video(sources=['upload', 'webcam'], label='or your own', **look),
        gr.Dropdown(explorer.places, value=place, label='place', elem_id='place'),
        gr.Dropdown(explorer.channels(place), value=MEAN, label='channel', elem_id='channel'),
        *(_slider(name, explorer, place) for name in TERMS),
    ]


def _showing(explorer: Explorer, clips: Mapping[str, str]) -> Callable[..., tuple]:
    """What answers a change of a control."""

    def show(name, uploaded, place, channel, frame, *values):
        settings = SolverSettings(int(values[0]), *values[1:])
        video = whole_recording(uploaded) if uploaded else clips.get(name)
        shot = _shot(explorer, video, place, channel, int(frame) - 1, settings)
        # The slider may have been moved since it was asked: it is put elsewhere only if it has to be.
        moved = dict(value=shot.num_steps) if frame > shot.num_steps else {}
        number = gr.Slider(maximum=max(shot.num_steps, 2), **moved)
        return shot.picture, gr.Label(shot.scores or None, visible=bool(shot.scores)), number

    return show


def _going(explorer: Explorer) -> Callable[..., tuple]:
    """What answers a change of the place: its channels, and the terms of its layer."""

    def go_to(place, channel):
        settings, channels = explorer.settings(place), explorer.channels(place)
        values = [_within(name, getattr(settings, name)) for name in TERMS]
        return gr.Dropdown(channels, value=channel if channel in channels else MEAN), *values

    return go_to


def _slider(name: str, explorer: Explorer, place: str) -> gr.Slider:
    low, high, step = TERMS[name]
    value = _within(name, getattr(explorer.settings(place), name))
    return gr.Slider(low, high, value, step=step, label=TITLES[name], elem_id=name)


def _within(name: str, value: float) -> float:
    low, high, _ = TERMS[name]
    return round(min(max(value, low), high), 4)


def _shot(explorer: Explorer, video: str, place: str, channel: str, frame: int, settings: SolverSettings) -> Shot:
    """The picture; what is wrong with a video is shown on the page."""
    try:
        return explorer.shoot(video, place, channel, frame, settings)
    except (OSError, ValueError) as error:
        raise gr.Error(str(error), print_exception=False) from error

"""What the flow layers do during training, as curves and pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from repflow_mm.models.layers import RepresentationFlow
from repflow_mm.models.wrapping import unwrapped
from repflow_mm.ops.arguments import check_count
from repflow_mm.randomness import seeded
from repflow_mm.visualization.clip_flow import ClipFlow, layer_tracks
from repflow_mm.visualization.layer_flow import clamped_share, flow_layers, short_name
from repflow_mm.visualization.recognizer_flow import class_name, see_sample
from repflow_mm.visualization.sheets import clips_sheet

TERMS = ('theta', 'lam', 'tau')
TAPS = {'image_kernel': 'image gradient', 'flow_kernel': 'flow gradient', 'div_kernel': 'divergence'}
PICTURE = 'flow'


@HOOKS.register_module()
class FlowVisHook(Hook):
    """Curves and pictures of the flow layers, to every backend of the run's visualizer. Off unless a config has it.

    Curves, for each flow step of each block (``flow/block3.flow0/...``): ``theta``, ``lam`` and ``tau`` as the solver
    takes them; ``drift of the ...``, for taps that are learned, their distance from where they started relative to
    their norm there; of the batch at hand ``length``, the mean length of the flow in feature-grid pixels per frame
    step, and ``clamped``, the share of the pixels that :func:`repflow_mm.visualization.layer_flow.clamped_share`
    speaks of.

    Pictures: fixed clips of the validation data, or of the training data where there is none; for each the frame and,
    for each flow step, the mean flow over the channels. The state of the random generators and of the network's norms
    is left as it was.

    Args:
        interval (int): Iterations from one point of the curves to the next. Defaults to 50.
        picture_interval (int): Epochs from one picture to the next; 0 for no pictures. Defaults to 1.
        clips (int | Sequence[int]): How many clips, spread evenly over the data set, or which. Defaults to 4.

    Raises:
        TypeError, ValueError: If an argument is not allowed; in training, if there is no such clip.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 50, picture_interval: int = 1, clips: int | Sequence[int] = 4) -> None:
        check_count('interval', interval)
        check_count('picture_interval', picture_interval, smallest=0)
        for index in [clips] if isinstance(clips, int) else clips:
            check_count('clips', index, smallest=1 if isinstance(clips, int) else 0)
        self.interval, self.picture_interval, self.clips = interval, picture_interval, clips
        self._start: dict[str, dict[str, Tensor]] = {}
        self._handles, self._solved = [], {}

    def before_run(self, runner: Runner) -> None:
        """Note the taps before a checkpoint is loaded, so that a resumed run goes on with the same curves."""
        try:
            layers = flow_layers(unwrapped(runner.model))
        except ValueError:
            runner.logger.warning('FlowVisHook has nothing to show: the network has no flow layer')
            return
        self._start = {
            name: {taps: getattr(layer, taps).detach().cpu().clone() for taps in TAPS} for name, layer in layers.items()
        }

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Watch the flow layers in an iteration that gives a point of the curves."""
        if self._start and is_main_process() and self.every_n_train_iters(runner, self.interval):
            for name, layer in flow_layers(unwrapped(runner.model)).items():
                self._handles.append(layer.register_forward_hook(self._note(name)))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Hand the point to the visualizer."""
        if not self._handles:
            return
        self._release()
        points = {}
        for name, layer in flow_layers(unwrapped(runner.model)).items():
            values = {**_terms(layer), **_drifts(layer, self._start[name]), **self._solved.get(name, {})}
            points.update({f'flow/{short_name(name)}/{what}': value for what, value in values.items()})
        self._solved = {}
        runner.visualizer.add_scalars(points, step=runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Hand the picture of the epoch to the visualizer."""
        is_due = self.picture_interval > 0 and self.every_n_epochs(runner, self.picture_interval)
        if self._start and is_due and is_main_process():
            runner.visualizer.add_image(PICTURE, self.picture(runner), step=runner.epoch + 1)

    def after_train(self, runner: Runner) -> None:
        """Leave nothing on the network."""
        self._release()

    def picture(self, runner: Runner) -> np.ndarray:
        """The fixed clips under each other, (H, W, 3), uint8, RGB."""
        network, dataset = unwrapped(runner.model), _dataset(runner)
        names = (getattr(dataset, 'metainfo', None) or {}).get('classes') or ()
        was_training = network.training
        network.eval()
        try:
            clips = [_see(network, dataset, index, names) for index in self._chosen(len(dataset))]
        finally:
            network.train(was_training)
        return clips_sheet(clips, f'epoch {runner.epoch + 1}')

    def _chosen(self, size: int) -> list[int]:
        if isinstance(self.clips, int):
            count = min(self.clips, size)
            return [k * size // count for k in range(count)]
        wrong = [index for index in self.clips if index >= size]
        if wrong:
            raise ValueError(f'clips must be below {size}, the size of the data set, got {wrong[0]}')
        return list(self.clips)

    def _note(self, name: str):
        def hook(layer: nn.Module, inputs: tuple, u: Tensor) -> None:
            x, flow = inputs[0].detach(), u.detach().float()
            length = torch.hypot(*flow.chunk(2, dim=1)).mean().item()
            self._solved[name] = dict(length=length, clamped=clamped_share(layer, x, flow))

        return hook

    def _release(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _dataset(runner: Runner) -> Dataset:
    return (runner.train_dataloader if runner.val_loop is None else runner.val_dataloader).dataset


def _see(network: BaseModel, dataset: Dataset, index: int, names: Sequence[str]) -> tuple[str, ClipFlow]:
    """A clip with its caption."""
    with seeded(index):
        sample = dataset[index]
        seen = see_sample(network, sample)
    tracks = [track for name, flow in seen.flows.items() for track in layer_tracks(name, flow, channels=())]
    labels = sample['data_samples'].get('gt_label', torch.tensor([])).tolist()
    caption = ', '.join(class_name(label, names) for label in labels) or f'clip {index}'
    return f'truth: {caption}', ClipFlow(seen.frames, tracks, scores=seen.top(1, names))


def _terms(layer: RepresentationFlow) -> dict[str, float]:
    return {name: getattr(layer, name).item() for name in TERMS}


def _drifts(layer: RepresentationFlow, start: dict[str, Tensor]) -> dict[str, float]:
    drifts = {}
    for name, title in TAPS.items():
        taps = getattr(layer, name)
        if isinstance(taps, nn.Parameter):
            before = start[name].to(taps)
            drifts[f'drift of the {title}'] = ((taps.detach() - before).norm() / before.norm()).item()
    return drifts

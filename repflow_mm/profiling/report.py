"""A profile as text and as what JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from repflow_mm.markdown import markdown_table
from repflow_mm.profiling.advice import LOADING
from repflow_mm.profiling.loading import PipelineProfile
from repflow_mm.profiling.memory import MemoryProfile
from repflow_mm.profiling.network import NetworkProfile
from repflow_mm.profiling.parts import BACKBONE, REST
from repflow_mm.profiling.training import LoadedProfile, StepProfile

TITLES = {BACKBONE: 'backbone, between its stages', REST: 'rest'}
NO_VALUE = '–'


@dataclass(frozen=True)
class Report:
    """All that was found out about a config.

    Attributes:
        config: The config's file.
        hardware: What it was measured on.
        network, memory, step: See there.
        loaded, pipeline: See there; None where the data are not there.
        no_data: Why there is no data, or ''.
        shares: Shares of a training step, the largest first.
        advice: What to change, in sentences.
    """

    config: str
    hardware: dict
    network: NetworkProfile
    memory: MemoryProfile
    step: StepProfile
    loaded: LoadedProfile | None
    pipeline: PipelineProfile | None
    no_data: str
    shares: dict[str, float]
    advice: list[str]

    @property
    def bottleneck(self) -> str:
        """What takes the largest share of a training step."""
        return next(iter(self.shares))

    @property
    def clips_per_second(self) -> dict[str, float]:
        """Throughput of the training ``without_loading`` and ``with_loading``, and of the ``loader`` alone."""
        size = self.step.batch_size
        rates = dict(without_loading=size / self.step.seconds)
        if self.loaded:
            rates |= dict(with_loading=size / self.loaded.seconds, loader=size / self.loaded.loading)
        return rates

    def as_json(self) -> dict:
        """The report as what JSON can hold; times in seconds, memory in bytes."""
        derived = dict(bottleneck=self.bottleneck, clips_per_second=self.clips_per_second)
        return dict(asdict(self), **derived, flow_share=self.network.share(self.network.flow_names))

    def as_text(self) -> str:
        """The report as text with tables in Markdown."""
        return '\n\n'.join(
            (
                self._title(),
                _network_table(self.network),
                self._network_notes(),
                _memory_table(self.memory, self.network.batch_size),
                _step_table(self.step),
                *([_pipeline_table(self.pipeline)] if self.pipeline else []),
                self._throughput(),
                self._bottleneck_line(),
                '\n'.join(f'- {line}' for line in self.advice),
            )
        )

    def _title(self) -> str:
        where = self.hardware.get('gpu') or f'{self.hardware["cpu"]}, threads: {self.hardware["threads"]}'
        clip = '×'.join(map(str, self.network.input_shape))
        size = self.network.batch_size
        return f'{self.config}: one clip is {clip}, a batch {size} of them; {where}, torch {self.hardware["torch"]}'

    def _network_notes(self) -> str:
        flow = self.network.flow_names
        notes = (
            'GFLOP: one clip forward, a multiply-add being two; of convolutions and matrix products, and of solvers by '
            "their equations. ms: a batch's forward pass in evaluation mode, median."
        )
        if not flow:
            return f'{notes} There is no flow block.'
        backends = ', '.join(sorted(set(self.network.backends.values())))
        share = self.network.share(flow)
        return f'{notes} Flow blocks with their solvers: {_percent(share)} of the forward pass (backend {backends}).'

    def _throughput(self) -> str:
        titles = dict(without_loading='training, without data loading', with_loading='training, with data loading')
        titles |= dict(loader='data loading alone')
        rows = [(titles[name], f'{rate:.1f}') for name, rate in self.clips_per_second.items()]
        table = markdown_table(('throughput', 'clips/s'), rows)
        if self.loaded:
            return table
        return f'{table}\n\nData loading was not measured, and the clips are rendered: {self.no_data}'

    def _bottleneck_line(self) -> str:
        shares = ', '.join(f'{name} {_percent(share)}' for name, share in self.shares.items())
        without = '' if self.loaded else f', {LOADING} aside'
        return f'Bottleneck{without}: {self.bottleneck} (shares of a training step: {shares}). What may help:'


def _network_table(network: NetworkProfile) -> str:
    rows = [
        (TITLES.get(name, name), f'{network.parameters[name]:,}', *_cells(network.operations[name], seconds, network))
        for name, seconds in network.seconds.items()
        if network.parameters[name] or network.operations[name] or seconds
    ]
    operations = sum(network.operations.values())
    total = (f'{sum(network.parameters.values()):,}', f'{operations / 1e9:.3g}', f'{1e3 * network.total_seconds:.1f}')
    return markdown_table(('part', 'parameters', 'GFLOP', 'ms', 'share'), [*rows, ('all', *total, '100 %')])


def _cells(operations: int, seconds: float, network: NetworkProfile) -> tuple[str, str, str]:
    share = seconds / sum(network.seconds.values())
    return f'{operations / 1e9:.3g}' if operations else NO_VALUE, f'{1e3 * seconds:.1f}', _percent(share)


def _memory_table(memory: MemoryProfile, batch_size: int) -> str:
    rows = (
        ('weights', memory.weights),
        ('what the optimizer keeps', memory.optimizer),
        (f'forward pass of {batch_size} clips without gradients, at its peak', memory.inference),
        (f'training step of {batch_size} clips, activations and gradients, at its peak', memory.training),
    )
    return markdown_table(('memory', 'MB'), [(name, f'{number / 1e6:.1f}') for name, number in rows])


def _step_table(step: StepProfile) -> str:
    used = {name: seconds for name, seconds in step.parts.items() if seconds}
    return _times_table('training step, without data loading', used)


def _pipeline_table(pipeline: PipelineProfile) -> str:
    return _times_table('a sample, in one process', pipeline.seconds)


def _times_table(title: str, seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    rows = [(name, f'{1e3 * value:.1f}', _percent(value / total)) for name, value in seconds.items()]
    return markdown_table((title, 'ms', 'share'), rows)


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'

"""What holds a training up, and what may be done about it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from repflow_mm.models.layers import RepresentationFlow
from repflow_mm.profiling.loading import PipelineProfile
from repflow_mm.profiling.network import NetworkProfile
from repflow_mm.profiling.parts import BACKBONE
from repflow_mm.profiling.training import (
    BACKWARD,
    FLOW,
    FORWARD,
    OPTIMIZER,
    PREPROCESSING,
    SOLVERS,
    LoadedProfile,
    StepProfile,
)

LOADING, NETWORK, FLOW_SOLVER, FLOW_BLOCK = 'data loading', 'network', 'flow solver', 'flow block without its solver'
# Steps of a pipeline that read and decode, by a part of their names.
READING = ('Decode', 'Init')
# A short side so many times as long as what the network sees is more to decode than it needs.
GENEROUS_SIZE = 1.5


@dataclass(frozen=True)
class Settings:
    """What of a config and a machine the advice depends on.

    Attributes:
        num_workers: The loader's processes.
        persistent_workers: Whether they outlive an epoch.
        cores: Cores that this process may use.
        device: ``'cpu'`` or ``'cuda'``.
        is_mixed: Whether the training is in mixed precision.
        is_compiled: Whether it is compiled.
    """

    num_workers: int
    persistent_workers: bool
    cores: int
    device: str
    is_mixed: bool
    is_compiled: bool


def step_shares(step: StepProfile, loaded: LoadedProfile | None = None) -> dict[str, float]:
    """The shares of a training step, the largest first: data loading, preprocessing, network, flow, optimizer."""
    parts = step.parts
    seconds = {
        PREPROCESSING: parts[PREPROCESSING],
        NETWORK: parts[FORWARD] + parts[BACKWARD],
        FLOW_SOLVER: sum(parts[name] for name in SOLVERS),
        FLOW_BLOCK: sum(parts[name] for name in FLOW),
        OPTIMIZER: parts[OPTIMIZER],
    }
    waiting = loaded.wait / loaded.seconds if loaded else 0.0
    computing = (1 - waiting) / sum(seconds.values())
    shares = {name: value * computing for name, value in seconds.items() if value}
    shares |= {LOADING: waiting} if loaded else {}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def advise(
    bottleneck: str,
    settings: Settings,
    model: nn.Module,
    network: NetworkProfile,
    pipeline: PipelineProfile | None = None,
) -> list[str]:
    """What to change where one part of a training step takes the most time.

    Args:
        bottleneck (str): A name that :func:`step_shares` gives.
        settings (Settings): What is set.
        model (nn.Module): The recognizer.
        network (NetworkProfile): Its profile.
        pipeline (PipelineProfile, optional): That of its data. Defaults to None, not measured.

    Returns:
        list[str]: Sentences, the one that promises most first.
    """
    if bottleneck == LOADING:
        return _for_loading(settings, pipeline)
    if bottleneck == PREPROCESSING:
        return [
            'the data preprocessor runs between the steps: compute flow in the data workers (the transform ComputeFlow '
            'in place of FlowDataPreprocessor), or once, with extract_flow; take batch blending out'
        ]
    if bottleneck == OPTIMIZER:
        return [
            'update less often: a larger train_dataloader.batch_size, or optim_wrapper.accumulative_counts',
            'optim_wrapper.optimizer.foreach=True, or fused=True, updates all parameters at once',
        ]
    return _for_network(settings, network) if bottleneck == NETWORK else _for_flow(model, network)


def _for_loading(settings: Settings, pipeline: PipelineProfile | None) -> list[str]:
    advice = []
    if settings.num_workers == 0:
        advice.append(
            'train_dataloader.num_workers is 0, so that the network waits while a batch is read: set it to '
            f'{max(settings.cores - 1, 1)} or so (cores: {settings.cores})'
        )
    elif settings.num_workers < settings.cores:
        advice.append(f'train_dataloader.num_workers is {settings.num_workers}: raise it, up to {settings.cores} cores')
    else:
        advice.append(
            f'train_dataloader.num_workers is {settings.num_workers} with {settings.cores} cores: more processes will '
            'not help, less work a sample will'
        )
    if settings.num_workers and not settings.persistent_workers:
        advice.append('train_dataloader.persistent_workers=True keeps the workers from one epoch to the next')
    return advice + (_for_pipeline(pipeline) if pipeline else [])


def _for_pipeline(pipeline: PipelineProfile) -> list[str]:
    name, seconds = max(pipeline.seconds.items(), key=lambda item: item[1])
    share = seconds / sum(pipeline.seconds.values())
    said = f'{name} is {100 * share:.0f} % of the time for a sample'
    if not any(part in name for part in READING):
        if name == 'ComputeFlow':
            return [f'{said}: compute the flow once, with extract_flow']
        return [f'{said}: do it once for all videos, or choose a cheaper step']
    advice = []
    if pipeline.original_size and min(pipeline.original_size) > GENEROUS_SIZE * min(pipeline.size):
        stored, seen = ('×'.join(map(str, size)) for size in (pipeline.original_size, pipeline.size))
        advice.append(
            f'{said}, and frames of {stored} pixels are stored while the network sees {seen}: write the videos smaller '
            'once, for instance with ffmpeg -vf scale'
        )
    advice.append(
        f"{said}: try another decoder (VideoInit's decoder, docs/decoders.md), videos with more key frames, or fewer "
        'frames a clip (clip_len)'
    )
    return advice


def _for_network(settings: Settings, network: NetworkProfile) -> list[str]:
    advice = []
    if not settings.is_mixed:
        advice.append('train in mixed precision: --amp' + ('' if settings.device == 'cuda' else ', bfloat16 on a CPU'))
    stages = {n: s for n, s in network.seconds.items() if n.startswith(BACKBONE) and n not in network.flow_names}
    costliest = max(stages, key=stages.get)
    advice.append(
        f'{costliest} takes the most, {100 * network.share([costliest]):.0f} % of a forward pass: fewer frames '
        '(clip_len) or smaller crops make every stage cheaper, a shallower network its later ones'
    )
    if not settings.is_compiled:
        advice.append('compile=True compiles the training step; its first step takes long (docs/features.md)')
    if settings.device == 'cpu':
        advice.append('a GPU: a CPU trains networks of this kind for tests alone')
    return advice


def _for_flow(model: nn.Module, network: NetworkProfile) -> list[str]:
    advice = []
    slow = [name for name, backend in network.backends.items() if backend == 'reference']
    if slow:
        advice.append(
            f'{slow[0]} runs the reference: a C compiler on a CPU, and Triton on a GPU, make it many times as fast; '
            'python -m repflow_mm doctor says what is missing'
        )
    layers = [module for module in model.modules() if isinstance(module, RepresentationFlow)]
    iterations, channels = (max(getattr(layer, name) for layer in layers) for name in ('num_iters', 'channels'))
    advice.append(
        f"the solver's time grows with flow.num_iters ({iterations}) and flow.channels ({channels}): take fewer"
    )
    advice.append(
        'a later flow.after, where the maps are smaller: half the side is a quarter of the pixels; or smaller crops'
    )
    return advice

"""What the recognizers of configs cost: time, parameters and operations for a video."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel

from repflow_mm.apis.scope import build_test_set, scope_of
from repflow_mm.files import write_json
from repflow_mm.hardware import hardware
from repflow_mm.models.summary import count_parameters
from repflow_mm.profiling.network import forward_of
from repflow_mm.profiling.operations import operations_by_part
from repflow_mm.testing.timing import seconds_of

FILE = 'costs.json'
# Other work on the machine lengthens times, for seconds on end: the shortest of many, in turn, is without it.
REPEATS = 25


class Cost(NamedTuple):
    """What a recognizer costs.

    Args:
        seconds (float): Time for a decoded video, all of its views.
        parameters (int): Number of parameters.
        operations (int): Operations for a video, as :func:`repflow_mm.profiling.operations.operations_by_part` counts
            them: those of convolutions, matrix products and flow layers. TV-L1 before the network is not counted.
        machine (str): Where the time was measured.
    """

    seconds: float
    parameters: int
    operations: int
    machine: str


def total_cost(costs: Sequence[Cost | None]) -> Cost | None:
    """What recognizers cost together; None if one was not measured, or on another machine."""
    if None in costs or len({cost.machine for cost in costs}) > 1:
        return None
    seconds, parameters, operations, machines = zip(*costs)
    return Cost(sum(seconds), sum(parameters), sum(operations), machines[0])


def read_costs(work_dir: str | Path) -> dict[str, Cost]:
    """What was measured in a sweep's folder, by the name of the network; empty before."""
    file = Path(work_dir, FILE)
    return {name: Cost(**cost) for name, cost in json.loads(file.read_text()).items()} if file.is_file() else {}


def write_costs(work_dir: str | Path, costs: dict[str, Cost]) -> None:
    """Add what was measured to a sweep's folder, which need not exist."""
    Path(work_dir).mkdir(parents=True, exist_ok=True)
    known = read_costs(work_dir) | costs
    write_json(Path(work_dir, FILE), {name: cost._asdict() for name, cost in known.items()})


def costs_of(
    configs: dict[str, Config], repeats: int = REPEATS, device: str = 'cpu', progress: str | None = None
) -> dict[str, Cost]:
    """Measure each config's recognizer on the first video of its test set, the configs in turn.

    What is timed is ``test_step`` on decoded frames: the data preprocessor, with TV-L1 flow where it computes that, the
    backbone and the head, for all views of the video. Weights are random.

    Args:
        configs (dict[str, Config]): The configs, under the names of their networks.
        repeats (int): Measurements of each. Defaults to 25.
        device (str): Where to run. Defaults to ``'cpu'``.
        progress (str, optional): Title of a progress bar. Defaults to None, which shows none.

    Returns:
        dict[str, Cost]: The cost of each; of its times the shortest.

    Raises:
        FileNotFoundError: If a test set or its first video does not exist.
    """
    models = {name: _model_of(cfg, device) for name, cfg in configs.items()}
    samples = {name: build_test_set(cfg)[0] for name, cfg in configs.items()}
    calls = {name: _test_step(models[name], samples[name]) for name in configs}
    seconds = seconds_of(calls, repeats, device, progress)
    return {name: _cost(models[name], samples[name], min(seconds[name]), _machine(device)) for name in configs}


def _cost(model: BaseModel, sample: dict, seconds: float, machine: str) -> Cost:
    return Cost(seconds, count_parameters(model), _operations(model, sample), machine)


def _machine(device: str) -> str:
    """The processor and how many threads run on it, or the GPU."""
    found = hardware(device)
    threads = found['threads']
    return found.get('gpu') or f'{found["cpu"]}, {threads} thread{"s" if threads > 1 else ""}'


def _model_of(cfg: Config, device: str) -> BaseModel:
    torch.manual_seed(0)
    with scope_of(cfg):
        return MODELS.build(cfg.model).to(device).eval()


def _test_step(model: BaseModel, sample: dict) -> Callable[[], Sequence]:
    def test_step():
        with torch.no_grad():
            return model.test_step(pseudo_collate([sample]))

    return test_step


def _operations(model: BaseModel, sample: dict) -> int:
    """Operations of a recognizer for what its preprocessor makes of a sample."""
    inputs = model.data_preprocessor(pseudo_collate([sample]), training=False)['inputs']
    return sum(operations_by_part(model, forward_of(inputs), parts={}).values())

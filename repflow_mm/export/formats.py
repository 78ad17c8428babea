"""The formats: how a network is written, and how what was written is run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from repflow_mm.export.network import choose_solver
from repflow_mm.files import completed

FORMATS = ('onnx', 'pt2', 'torchscript')
# What a format needs beside torch, to be written and to be run.
PACKAGES = {'onnx': ('onnx', 'onnxscript', 'onnxruntime')}
INPUT, OUTPUT = 'clips', 'scores'
# The solver's operators, each of which the exporter may meet in the place of a flow layer.
OPERATORS = ('rep_flow_cpu', 'rep_flow_triton')


def write_network(
    network: nn.Module, example: Tensor, path: Path, kind: str, dynamic_batch: bool = True, unrolled: bool = False
) -> None:
    """Export a network; the file appears under its name when it is complete.

    Args:
        network (nn.Module): Takes one tensor and returns one, in evaluation mode, on the CPU.
        example (Tensor): An input; with ``dynamic_batch`` of two or more clips.
        path (Path): The file.
        kind (str): One of ``FORMATS``.
        dynamic_batch (bool): Whether the file takes any number of clips. Defaults to True.
        unrolled (bool): Whether the iterations of the flow solver stand one after the other, as plain operators.
            Otherwise they are one Loop in ONNX, and in the other formats this package's operator, for which
            ``repflow_mm.ops`` must be imported where the file is loaded. Defaults to False.

    Raises:
        ValueError: If there is no such format, or ONNX's packages are missing.
    """
    check_format(kind)
    choose_solver(network, unrolled)
    with completed(path) as temporary, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the exporters' remarks on themselves
        if kind == 'onnx':
            _write_onnx(network, example, temporary, dynamic_batch)
        elif kind == 'pt2':
            torch.export.save(
                torch.export.export(network, (example,), dynamic_shapes=_shapes(dynamic_batch)), temporary
            )
        else:
            torch.jit.trace(network, example, check_trace=False).save(temporary)


def check_format(kind: str) -> None:
    """Raise ValueError if there is no such format, or if one of its packages is missing."""
    if kind not in FORMATS:
        raise ValueError(f'format must be one of {FORMATS}, got {kind!r}')
    missing = [name for name in PACKAGES.get(kind, ()) if find_spec(name) is None]
    if missing:
        raise ValueError(f"{kind} needs {', '.join(missing)}: pip install 'repflow_mm[export]'")


def _shapes(dynamic_batch: bool) -> tuple[dict] | None:
    return ({0: torch.export.Dim('batch', min=1, max=4096)},) if dynamic_batch else None


def _write_onnx(network: nn.Module, example: Tensor, path: Path, dynamic_batch: bool) -> None:
    import onnx

    from repflow_mm.export.onnx_solver import rep_flow_onnx

    operators = [getattr(torch.ops.repflow_mm, name).default for name in OPERATORS]
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        dynamic_shapes=_shapes(dynamic_batch),
        input_names=[INPUT],
        output_names=[OUTPUT],
        custom_translation_table=dict.fromkeys(operators, rep_flow_onnx),
        verbose=False,
    )
    onnx.save(program.model_proto, path)


def load_network(path: Path, kind: str) -> Callable[[Tensor], Tensor]:
    """What runs a file of :func:`write_network`: a function from clips to scores, both on the CPU."""
    if kind == 'onnx':
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
        return lambda clips: torch.from_numpy(session.run(None, {INPUT: clips.numpy()})[0])
    if kind == 'pt2':
        return torch.export.load(path).module()
    return torch.jit.load(io.BytesIO(Path(path).read_bytes()))


def count_nodes(path: Path) -> int:
    """Number of nodes of an ONNX file, those inside of loops and branches counted once each."""
    import onnx

    def count(graph: onnx.GraphProto) -> int:
        inner = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField('g'))
        return len(graph.node) + sum(map(count, inner))

    return count(onnx.load(path).graph)

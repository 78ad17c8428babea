"""Part: streams, CUDA graphs, threads and processes, each against the plain result, bit for bit."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from repflow_mm.gpu_check.solver_inputs import draw_inputs, same_bits, solve, solve_with_gradients
from repflow_mm.gpu_check.tables import Table, yes_or_no
from repflow_mm.gpu_check.timing import capture
from repflow_mm.testing.timing import synchronise
from repflow_mm.timed_parts.context import Context, Emit, emit_outcome

SHAPE, NUM_ITERS = (2, 32, 5, 28, 28), 20
TINY_SHAPE, TINY_ITERS = (1, 2, 3, 6, 5), 3
ROUNDS = 50
PROCESSES = THREADS = 2


class Solver:
    """The solver on inputs that are drawn anew for each seed."""

    def __init__(self, device: str, backend: str) -> None:
        self.device, self.backend = device, backend
        self.shape, self.num_iters = (SHAPE, NUM_ITERS) if device == 'cuda' else (TINY_SHAPE, TINY_ITERS)

    def inputs(self, seed: int) -> dict[str, Tensor]:
        """The solver's seven tensors."""
        return draw_inputs(self.shape, self.device, seed)

    def forward(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """U."""
        return [solve(inputs, self.num_iters, self.backend)]

    def forward_backward(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """U and all gradients."""
        return solve_with_gradients(inputs, self.num_iters, self.backend)


def run(emit: Emit, context: Context) -> None:
    """Emit a record for each way of running the solver."""
    solver = Solver(context.device, context.backend)
    # First, while nothing is loaded yet: the threads' first launches meet.
    checks = {'two threads, from their first launch on': in_threads, 'two processes on one device': in_processes}
    if context.device == 'cuda':
        checks['another stream than the default'] = on_a_stream
        checks['CUDA graph, forward'] = lambda solver: in_a_graph(solver, solver.forward)
        checks['CUDA graph, forward + backward'] = lambda solver: in_a_graph(solver, solver.forward_backward)
    else:
        emit(table='stand-in', what='streams and graphs need CUDA and are left out')
    for name, check in checks.items():
        emit_outcome(emit, lambda check=check: dict(ok=check(solver)), table='concurrency', name=name)


def in_threads(solver: Solver) -> bool:
    """Whether threads that solve at the same time get what one gets by itself."""
    inputs = [solver.inputs(seed) for seed in range(THREADS)]
    barrier, results = threading.Barrier(THREADS), [None] * THREADS

    def work(index: int) -> None:
        barrier.wait()
        for _ in range(ROUNDS):
            results[index] = solver.forward_backward(inputs[index])
        synchronise(solver.device)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plain = [solver.forward_backward(tensors) for tensors in inputs]
    return all(found is not None and same_bits(found, exact) for found, exact in zip(results, plain))


def in_processes(solver: Solver) -> bool:
    """Whether processes that solve at the same time all get what this one gets."""
    command = [sys.executable, '-m', __name__, solver.device, solver.backend]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    processes = [subprocess.Popen(command, **pipes) for _ in range(PROCESSES)]
    for process in processes:
        process.stdout.readline()  # it is ready
    for process in processes:
        process.stdin.write('\n')
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    return all(answer == [digest(solver.forward_backward(solver.inputs(0)))] for answer in answers)


def on_a_stream(solver: Solver) -> bool:
    """Whether a stream of one's own gives what the default stream gives, the default one being busy meanwhile."""
    inputs, others = solver.inputs(0), solver.inputs(1)
    plain = solver.forward_backward(inputs)
    synchronise(solver.device)
    stream = torch.cuda.Stream()
    for _ in range(ROUNDS):
        solver.forward_backward(others)
        with torch.cuda.stream(stream):
            found = solver.forward_backward(inputs)
    synchronise(solver.device)
    return same_bits(found, plain)


def in_a_graph(solver: Solver, call: Callable[[dict[str, Tensor]], list[Tensor]]) -> bool:
    """Whether replays of a captured call, on new numbers each time, give what the call gives."""
    inputs, results = solver.inputs(0), []
    graph = capture([lambda: results.append(call(inputs))])
    captured = results[-1]
    for seed in range(1, 4):
        fresh = solver.inputs(seed)
        with torch.no_grad():
            for name, tensor in inputs.items():
                tensor.copy_(fresh[name])
        graph.replay()
        if not same_bits(captured, call(fresh)):
            return False
    return True


def digest(tensors: Sequence[Tensor]) -> str:
    """A digest of the tensors' bits."""
    bits = hashlib.sha256()
    for tensor in tensors:
        values = tensor.cpu().contiguous()
        bits.update(ctypes.string_at(values.data_ptr(), values.nbytes))  # needs no NumPy
    return bits.hexdigest()


def tables(records: Sequence[dict]) -> list[Table]:
    """Which ways of running the solver give the plain result."""
    rows = [(r['name'], yes_or_no(r), r.get('why', '')) for r in records if r['table'] == 'concurrency']
    title, about = 'Streams, graphs, threads, processes', 'u and all gradients against a plain call, bit for bit.'
    return [Table(title, about, ('way', 'the same bits', 'error'), rows)]


def solve_repeatedly(device: str, backend: str) -> str:
    """What one of the processes does once it is told to: solve the same inputs many times; returns the digests."""
    solver = Solver(device, backend)
    inputs = solver.inputs(0)
    digests = {digest(solver.forward_backward(inputs))}
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    sys.stdin.readline()
    digests |= {digest(solver.forward_backward(inputs)) for _ in range(ROUNDS)}
    return '\n'.join(sorted(digests))


if __name__ == '__main__':
    sys.stdout.write(solve_repeatedly(*sys.argv[1:]) + '\n')

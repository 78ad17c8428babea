"""Memory that a recognizer's training takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from repflow_mm.profiling.network import forward_batch
from repflow_mm.profiling.operations import device_of
from repflow_mm.testing.timing import peak_bytes


@dataclass(frozen=True)
class MemoryProfile:
    """Bytes that torch allocates; what the C kernel takes for its working planes is not among them.

    Attributes:
        weights: Parameters and buffers.
        optimizer: What the optimizer keeps, such as momenta.
        inference: The most at one time in a forward pass of a batch without gradients, beyond the weights.
        training: The most at one time in a training step of a batch, activations and gradients, beyond weights and
            what the optimizer keeps.
    """

    weights: int
    optimizer: int
    inference: int
    training: int


def profile_memory(model: nn.Module, optimizer: OptimWrapper, batch: dict) -> MemoryProfile:
    """Measure a recognizer's memory, once it has been trained a step.

    Args:
        model (nn.Module): The recognizer; it is trained another step, and left in training mode.
        optimizer (OptimWrapper): Its optimizer.
        batch (dict): What a data loader gives.
    """
    device = device_of(model)
    weights = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    model.eval()
    with torch.no_grad():
        inference = peak_bytes(lambda: forward_batch(model, batch), device)
    model.train()
    training = peak_bytes(lambda: model.train_step(batch, optimizer), device)
    return MemoryProfile(weights, _kept(optimizer), inference, training)


def _kept(optimizer: OptimWrapper) -> int:
    states = optimizer.optimizer.state.values()
    return sum(value.nbytes for state in states for value in state.values() if isinstance(value, Tensor))

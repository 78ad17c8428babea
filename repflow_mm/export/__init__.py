"""Recognizers outside of PyTorch's Python: ONNX, torch.export programs and TorchScript."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

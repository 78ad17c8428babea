"""Grad-CAM of networks whose layers see single frames."""

from __future__ import annotations

from torch import Tensor, nn

from repflow_mm.compat.patching import replace


def show_layers_of_folded_frames() -> bool:
    """Let Grad-CAM of a Recognizer3D look at layers that see single frames (mmaction2 ``gradcam_utils.py``, no thread).

    Upstream expects (N, C, T, H, W) there, and hooks gradients in a way that in-place activations disturb.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.utils.gradcam_utils import GradCAM

    replace(GradCAM, '_register_hooks', lambda upstream: _register_hooks)
    return True


def _register_hooks(self, layer_name: str) -> None:
    """Record a layer's last activations in a pass, and their gradients, as clips where the recognizer is of clips."""
    names = dict(self.model.named_modules())
    name = layer_name.replace('/', '.')
    if name not in names:
        raise ValueError(f'Grad-CAM: {type(self.model).__name__} has no layer {layer_name!r}')
    num_clips = []

    def note_input(backbone: nn.Module, args: tuple) -> None:
        num_clips[:] = [args[0].shape[0]]

    def as_recognizer_has_it(maps: Tensor) -> Tensor:
        if maps.ndim == 4 and not self.is_recognizer2d:
            return maps.unflatten(0, (num_clips[0], -1)).transpose(1, 2)  # (N*T, C, H, W) -> (N, C, T, H, W)
        return maps

    def record(module: nn.Module, args: tuple, output: Tensor) -> None:
        def record_gradient(gradient: Tensor) -> None:
            if self.target_gradients is None:  # of a layer that is called several times, the last call
                self.target_gradients = as_recognizer_has_it(gradient.detach())

        self.target_activations, self.target_gradients = as_recognizer_has_it(output.detach().clone()), None
        output.register_hook(record_gradient)

    self.model.backbone.register_forward_pre_hook(note_input)
    names[name].register_forward_hook(record)

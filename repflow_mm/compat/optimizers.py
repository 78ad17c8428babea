"""Parameter groups of the optimizer."""

from __future__ import annotations

from repflow_mm.compat.patching import replace


def group_parameters_in_plain_dicts() -> bool:
    """Let the runner's ``compile`` meet plain parameter groups (mmengine ``default_constructor.py``, no thread).

    With ``paramwise_cfg`` upstream makes them ConfigDicts, at which torch.compile breaks off after minutes.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.optim import DefaultOptimWrapperConstructor

    def make(upstream):
        def build(self, model):
            wrapper = upstream(self, model)
            groups = wrapper.optimizer.param_groups
            groups[:] = [dict(group.items()) for group in groups]
            return wrapper

        return build

    replace(DefaultOptimWrapperConstructor, '__call__', make)
    return True

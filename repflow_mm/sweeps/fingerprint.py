"""By what a finished run is known to be of a config."""

from __future__ import annotations

import hashlib
import json

from mmengine.config import Config

# What the runner is built from that decides the result. Hooks that save and log, helper variables of the config files
# and what is only shown may change without making a finished run another one.
DECIDING = (
    'model',
    'data_preprocessor',
    'train_dataloader',
    'test_dataloader',
    'test_evaluator',
    'train_cfg',
    'test_cfg',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
    'custom_hooks',
    'load_from',
)
# Custom hooks that end a training or keep it safe, and change no number in it.
GUARDS = ('StepSeedHook', 'InterruptionHook', 'FiniteNumbersHook', 'ResumeCheckHook')


def fingerprint_of(cfg: Config) -> str:
    """Hash of the settings that decide what a run of a config results in.

    Args:
        cfg (Config): The whole config.

    Returns:
        str: 16 hexadecimal digits.
    """
    settings = {name: value for name, value in cfg.to_dict().items() if name in DECIDING and value is not None}
    settings['custom_hooks'] = [hook for hook in settings.get('custom_hooks', []) if hook['type'] not in GUARDS]
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

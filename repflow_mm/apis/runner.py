"""A runner that begins with what a reader wants to know."""

from __future__ import annotations

import logging
import os.path as osp

from mmengine.runner import Runner
from torch import nn

from repflow_mm.models.summary import model_summary
from repflow_mm.models.wrapping import unwrapped

# How the records of MMEngine begin that go to the log file alone: most of the lines before the first loss.
LOGGED_IN_FILE = (
    '\n------------------------------------------------------------\nSystem environment',
    'Config:\n',
    'Hooks will be executed in the following order',
    'paramwise_options -- ',
    '"HardDiskBackend" is the alias',
    '"FileClient" will be deprecated',
)


class ConciseRunner(Runner):
    """MMEngine's Runner, whose console shows where the config is and a summary of the model, then the training.

    The environment, the whole config, the hooks and every parameter's options are in the log file.
    """

    def build_logger(self, *args, **kwargs) -> logging.Logger:
        """The runner's logger, with a filter before the console."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler) and is_for_console not in handler.filters:
                handler.addFilter(is_for_console)
        return logger

    def train(self) -> nn.Module:
        """Log where config and log are and what the model is made of, then train."""
        self._show_start()
        return super().train()

    def _show_start(self) -> None:
        config = osp.join(self.work_dir, osp.basename(self.cfg.filename or f'{self.timestamp}.py'))
        log = osp.join(self._log_dir, f'{self.timestamp}.log')
        lines = [f'config: {config}', f'log: {log}', *model_summary(unwrapped(self.model))]
        self.logger.info('\n'.join(lines))


def is_for_console(record: logging.LogRecord) -> bool:
    """Whether a record is shown, not only logged."""
    return record.levelno >= logging.ERROR or not record.getMessage().startswith(LOGGED_IN_FILE)

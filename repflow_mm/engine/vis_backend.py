"""Records of a training on disk."""

from __future__ import annotations

from mmaction.registry import VISBACKENDS
from mmaction.visualization import LocalVisBackend
from mmengine.logging import MMLogger


@VISBACKENDS.register_module()
class PatientLocalVisBackend(LocalVisBackend):
    """MMAction2's LocalVisBackend, which leaves out records that the disk does not take: the training goes on.

    Takes LocalVisBackend's arguments.
    """

    _failure = None

    def _dump(self, value_dict: dict, file_path: str, file_format: str) -> None:
        try:
            super()._dump(value_dict, file_path, file_format)
            self._failure = None
        except OSError as error:
            if self._failure is None:
                MMLogger.get_current_instance().warning(f'a record cannot be written: {error}; the training goes on')
            self._failure = error

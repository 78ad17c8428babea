"""Registration of the whole package in MMAction2's registries."""

from repflow_mm.compat import apply_workarounds, check_versions


def register_all() -> None:
    """Check upstream's versions, put the workarounds in place and import every module that registers something.

    Raises:
        ImportError: If MMAction2, MMEngine or MMCV is missing or has a version that is not supported.
    """
    check_versions()
    apply_workarounds()
    import repflow_mm.datasets
    import repflow_mm.engine
    import repflow_mm.models  # noqa: F401

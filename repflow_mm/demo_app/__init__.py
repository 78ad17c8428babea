"""An app in the browser that shows the flow of a clip while its settings change: ``python -m repflow_mm.demo_app``."""

"""One command that tells whether the flow solver works, and how fast, on this GPU: ``python -m repflow_mm.gpu_check``.

``cli`` reads the command line, ``parts`` has a module for each part of the check, which ``timed_parts`` runs,
``report`` and ``docs`` write down what came out.
"""

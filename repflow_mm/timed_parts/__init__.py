"""Checks in parts: each part has a process and a time limit of its own, so that none can spoil or starve the others.

A part is a module with ``run(emit, context)``, which hands each record (a dict for JSON) to ``emit`` as soon as it has
it; ``context`` says where files go and what time is left. ``runner`` runs parts and keeps what they have recorded,
``part_process`` is the process of one, ``own_process`` gives single calls within a part processes of their own, and
``progress`` keeps a report and the terminal up to date. What the records mean is the affair of the check that has the
parts. No module here needs more than Python's own.
"""

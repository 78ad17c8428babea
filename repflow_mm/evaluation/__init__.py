"""Evaluation of dumped scores."""

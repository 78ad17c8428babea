"""Measurements of the solver and of whole models."""

"""Hostile files: what they are, and the tools that they are given to."""

"""Chaos: kills, random arguments, hostile files, damaged videos and failing ranks, and what became of them."""

"""Data: clips of moving textures."""

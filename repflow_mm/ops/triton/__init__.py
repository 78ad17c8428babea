"""The solver in Triton. Triton itself is imported at the first call."""

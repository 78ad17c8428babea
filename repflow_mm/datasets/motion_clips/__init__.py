"""Synthetic clips whose classes only motion tells apart."""

"""Commands that make lists, check videos, extract flow and render clips."""

"""Lists of videos: reading, writing, checking."""

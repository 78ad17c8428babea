"""Flow of videos on disk."""

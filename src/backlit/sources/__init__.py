"""Data from files: whatever a command is given, as an array of samples and perhaps labels."""

from backlit.sources.read import Source, read, read_targets

__all__ = ["Source", "read", "read_targets"]

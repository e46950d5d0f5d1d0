"""Frames in, painted frames out: the live filter. Never imports torch."""

__version__ = "0.1.0"

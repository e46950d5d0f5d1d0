"""Takers of the live picture beside the window: recording, viewers on the network, a virtual camera."""

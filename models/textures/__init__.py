"""Textures of a painting: a texture network learnt, kept in a file, and painted with."""

"""Gatys' optimisation of a still, in parts: what is chosen, what is minimised, by what, on which sizes."""

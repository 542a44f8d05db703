"""Masks to numbers: scores, skeletons, cracks, millimetres; no torch."""

"""Frames and videos of a drive: found, measured, placed, written."""

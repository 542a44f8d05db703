"""Frames and models to masks: windows, stitching, streams."""

"""A checkpoint scored on labelled frames."""

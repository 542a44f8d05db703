"""The schema of every setting, and its loader; knows no torch."""

"""Whole experiments composed of the rooms below; no mathematics of their own."""

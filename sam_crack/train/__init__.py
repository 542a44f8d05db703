"""Samples and models to trained adapters."""

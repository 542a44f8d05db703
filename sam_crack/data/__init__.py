"""Files to samples; knows no models."""

"""One training, from the first screen to the model card."""

"""SAM encoders, heads and checkpoints: tensors in, logits out."""

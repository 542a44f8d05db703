"""The renderer of 4K practice drives with known truth."""

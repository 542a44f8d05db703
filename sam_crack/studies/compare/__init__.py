"""Many methods at one budget, and the table that they make."""

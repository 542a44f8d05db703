"""Results to things people look at; no torch."""

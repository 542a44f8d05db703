"""One module per family of data sets: roads, streets, medical."""

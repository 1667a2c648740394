"""One process among several."""

"""A configuration becomes a run."""

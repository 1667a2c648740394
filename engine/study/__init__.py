"""The command `python -m engine.study`: poolings, layers or losses compared."""

"""The command `python -m engine.repeat`: one configuration over several seeds and folds."""

"""The token store: a corpus encoded once, as flat arrays on disk."""

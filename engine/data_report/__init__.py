"""The command `python -m engine.data_report`: what is in the data, before anything is trained on it."""

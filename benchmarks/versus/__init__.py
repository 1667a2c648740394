"""The parts of `benchmarks/versus_trainer.py`."""

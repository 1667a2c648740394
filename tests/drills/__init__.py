"""Runs that are killed, stopped, cut and starved on purpose. `python -m tests.drills` prints what they survived."""

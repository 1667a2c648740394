"""The engine. Reading order: loop (the training loop), plan (who is in which batch), evaluate, metrics, optim,
checkpoint, tracking, config, build (configuration to parts).
"""

"""The engine. Beside this file stands what an update is: loop (the training loop), plan (who is in which batch),
loader, evaluate, optim, guard, state. The folders hold one subject each; compose/ makes a run of a configuration.
"""

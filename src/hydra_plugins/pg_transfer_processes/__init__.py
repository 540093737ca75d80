"""`hydra/launcher=processes`: a process of its own for every run of a multirun."""

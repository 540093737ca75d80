"""One run from settings to scores: what `train.py` and `evaluate.py` call."""

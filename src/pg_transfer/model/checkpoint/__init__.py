"""Weights in the formats of others: big_vision archives and Hugging Face folders."""

from pg_transfer.model.checkpoint.describe import describe
from pg_transfer.model.checkpoint.fit import LoadReport
from pg_transfer.model.checkpoint.halves import join_halves
from pg_transfer.model.checkpoint.load import load_weights

__all__ = ["LoadReport", "describe", "join_halves", "load_weights"]

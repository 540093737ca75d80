"""Released weights into our model: big_vision archives and Hugging Face folders."""

from pg_transfer.model.checkpoint.fit import LoadReport
from pg_transfer.model.checkpoint.load import load_weights

__all__ = ["LoadReport", "load_weights"]

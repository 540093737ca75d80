"""Memory that has run out, whoever says so."""

from __future__ import annotations


def is_shortage(error: BaseException) -> bool:
    """Whether memory ran out: on a GPU, in Python, or in torch's allocator of a CPU."""
    # Torch's own error by its name, as importing torch takes seconds.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)

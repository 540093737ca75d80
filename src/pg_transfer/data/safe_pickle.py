"""Reads pickled lists and dictionaries, and refuses every pickle that would run code.

For downloaded annotations published as pickles, such as the REFER release of RefCOCO. The method
is Python's own: https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

from __future__ import annotations

import copyreg
import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXPANSION = 100
"""Bytes in memory for one in the file, which no list of records needs."""

LEAST_BYTES = 2**28
"""That are allowed in any case."""


def read_pickle(path: Path) -> Any:
    """The lists, dictionaries, tuples, sets, strings, numbers, truth values and Nones in `path`.

    Strings written by Python 2 are read as Latin-1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it asks for anything else, such as a class or a function, or is damaged.
    """
    with path.open("rb") as file:
        # An extension that this process has met before is otherwise handed out unasked.
        copyreg.clear_extension_cache()
        try:
            with _bounded_memory(LEAST_BYTES + EXPANSION * path.stat().st_size):
                return _PlainUnpickler(file, encoding="latin1").load()
        except _RefusedError as refused:
            raise ValueError(
                f"{path} asks for {refused}, which could run code: refused. "
                "Plain annotations need no such thing; fetch the file again from its publisher."
            ) from None
        except Exception as error:  # damaged bytes fail wherever they happen to lead
            raise ValueError(
                f"{path} is no pickle or a damaged one ({type(error).__name__}: {error}); "
                "fetch the file again"
            ) from error


@contextmanager
def _bounded_memory(most: int) -> Iterator[None]:
    """Within it this process cannot take `most` bytes more: 5 bytes of a pickle can ask for 64 GB.

    Where the system does not tell what is taken already (other than Linux), nothing is bounded.
    """
    table = Path("/proc/self/statm")
    if not table.exists():
        yield
        return
    taken = int(table.read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and soft <= taken + most:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (taken + most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _RefusedError(Exception):
    """The message names what was asked for."""


class _PlainUnpickler(pickle.Unpickler):
    """Every way to a class or function goes through `find_class`; without one nothing is called."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise _RefusedError(f"{module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError(f"the outside object {pid!r}")

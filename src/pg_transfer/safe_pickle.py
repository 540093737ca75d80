"""Reads pickled lists and dictionaries, and refuses every pickle that would run code.

For downloaded annotations published as pickles, such as the REFER release of RefCOCO. The method
is Python's own: https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

from __future__ import annotations

import copyreg
import pickle
from pathlib import Path
from typing import Any


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


class _RefusedError(Exception):
    """The message names what was asked for."""


class _PlainUnpickler(pickle.Unpickler):
    """Every way to a class or function goes through `find_class`; without one nothing is called."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise _RefusedError(f"{module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError(f"the outside object {pid!r}")

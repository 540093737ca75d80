"""What a table of faults is made of."""

from __future__ import annotations

from typing import NamedTuple

from tests.faults.making import Make


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        about: in a few words.
        make: prepares the folder that the program is started in.
        arguments: what the user types, besides what makes the run quick.
        message: what it says, with paths relative to that folder; … stands for a library's words.
        program: that is started.
        is_quick: with settings that make a training run take a second.
    """

    about: str
    make: Make
    arguments: tuple[str, ...]
    message: str
    program: str = "train.py"
    is_quick: bool = True

"""What a checkpoint must bring to be loaded: every parameter, in its shape, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMED = 10
"""How many tensors of a kind an error lists."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was read.

    Attributes:
        format: "big_vision" or "Hugging Face".
        tensors: arrays read from the checkpoint.
        resized_from: image side in pixels that the checkpoint's position embeddings are for, if
            they had to be resampled for the model's; else None.
        rows: of the vocabulary's table that a Gemma brought; None where all had to be there.
    """

    format: str
    tensors: int
    resized_from: int | None = None
    rows: int | None = None


def kept_rows(rows: int) -> int:
    """How many of the rows of a table belong to tokens, of a plain Gemma's that is.

    The first release of Gemma has 128 rows more than tokens, where PaliGemma's locations begin.
    """
    return 256000 if rows == 256128 else rows


def require_fit(
    source: Path, *, expected: Mapping[str, Sequence[Shape]], found: Mapping[str, Shape]
) -> None:
    """Compare the tensors of `source`, before any is read, with those the model needs.

    Args:
        source: the checkpoint, for the message.
        expected: for every key, the shapes that will do.
        found: for every key there is, its shape.

    Raises:
        ValueError: keys are missing, unexpected or of another shape; all three in one message.
    """
    missing = [f"{key} {_either(shapes)}" for key, shapes in expected.items() if key not in found]
    extra = [f"{key} {shape}" for key, shape in found.items() if key not in expected]
    misshapen = [
        f"{key}: expected {_either(shapes)}, found {found[key]}"
        for key, shapes in expected.items()
        if key in found and found[key] not in shapes
    ]
    complaints = [
        f"{len(tensors)} {kind}: " + "; ".join(tensors[:NAMED]) + "; ..." * (len(tensors) > NAMED)
        for kind, tensors in (
            ("missing", missing),
            ("not part of the model", extra),
            ("of another shape", misshapen),
        )
        if tensors
    ]
    if complaints:
        raise ValueError(
            f"{source} is not a checkpoint of this model ({len(expected)} tensors expected, "
            f"{len(found)} found); is it one of another size?\n  " + "\n  ".join(complaints)
        )


def _either(shapes: Sequence[Shape]) -> str:
    return " or ".join(map(str, shapes))

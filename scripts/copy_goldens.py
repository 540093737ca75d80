"""Copies recorded outputs of the JAX reference into `tests/golden`, thinned to a small size.

`python scripts/copy_goldens.py FOLDER`: FOLDER holds the full files. Of long gradients and trained
parameters every 16th value is kept; everything else is copied whole.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

STRIDE = 16
LONGEST = 1000
COPIES = [
    *(f"gemma{g}_{part}" for g in (1, 2) for part in ("ckpt", "golden", "training")),
    "maskcodec_golden",
    "maskcodec_weights",
]


def thinned(key: str, array: np.ndarray) -> np.ndarray:
    """The array, or every 16th of its values if it is a long gradient or parameter."""
    is_comparison = key.startswith(("grad_ls", "all/params", "frozen_img/params"))
    return array.reshape(-1)[::STRIDE] if is_comparison and array.size > LONGEST else array


def main() -> None:
    """Writes the copies."""
    source, target = Path(sys.argv[1]), Path(__file__).parents[1] / "tests" / "golden"
    for name in COPIES:
        with np.load(source / f"{name}.npz", allow_pickle=False) as recorded:
            arrays = {key: thinned(key, recorded[key]) for key in recorded.files}
        np.savez_compressed(target / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main()

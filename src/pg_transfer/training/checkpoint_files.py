"""How Lightning writes and reads `last.ckpt`: whole or not at all, a file or a folder of shards.

Apart from `weights.py`, as whoever only asks a trained model needs no Lightning, which takes
seconds to import.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.plugins import TorchCheckpointIO

from pg_transfer.training.damaged import reading, require_parts
from pg_transfer.training.shards import read_whole
from pg_transfer.training.weights import write_file


class WholeFiles(TorchCheckpointIO):
    """Lightning's way to files, without its copy of the whole checkpoint in memory."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Writes `checkpoint` to `path`, see `write_file`."""
        write_file(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: Any,
        map_location: Any | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """What `path` holds, a file or a folder.

        Raises:
            ValueError: it is damaged, or lacks a part.
        """
        if Path(path).is_dir():
            return read_whole(Path(path))
        with reading(path):
            content = super().load_checkpoint(path, map_location, weights_only)
        require_parts(path, content)
        return content

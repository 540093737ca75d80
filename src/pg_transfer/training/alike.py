"""That all processes of a run are about to do the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.training.data import TransferData
from pg_transfer.training.digests import short_digest
from pg_transfer.training.gathering import together

SOURCES = Path(__file__).parents[1]

CODE, CHECKPOINT = "the code", "the checkpoint to go on from"
REMEDIES = {
    CODE: "start all of them with the same code and the same libraries",
    CHECKPOINT: "the run's folder has to be on a file system that all nodes see; if it is, one of "
    "them saw it late: start again",
}
OTHER_REMEDY = "start all of them with the same settings, and on the same files"

Facts = Mapping[str, str]


class RequireAlike(Callback):
    """Ends a run whose processes differ in what they are about to do, before they do any of it.

    They would wait for one another in different places, or put together what does not belong
    together.

    Args:
        data: of the run.
        splits: of it, that are learnt from or scored.
        micro_batch: of this process, which may have settled it by the memory of its own GPU.
        rematerialise: the blocks that it computes twice, likewise.
        last: the checkpoint that it goes on from if it is there; None if it does not learn.
        settings: by which they take their steps together.
    """

    def __init__(
        self,
        data: TransferData,
        splits: Sequence[str],
        *,
        micro_batch: int,
        rematerialise: int | bool,
        last: Path | None,
        settings: Mapping[str, object],
    ) -> None:
        self.sizes = micro_batch, int(rematerialise)
        self._data, self._splits, self._settings = data, splits, settings
        self._goes_on = "none" if last is None or not last.exists() else last.name
        self._is_sure = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Compares this process with the others, as soon as they have met.

        Raises:
            ValueError: they are not alike.
        """
        if trainer.world_size == 1 or self._is_sure:
            return
        found = together([(self.sizes, self._facts())])
        require_alike_sizes([sizes for sizes, _ in found])
        require_alike([facts for _, facts in found])
        self._is_sure = True

    def _facts(self) -> Facts:
        facts = {CODE: code(), CHECKPOINT: self._goes_on}
        for split in dict.fromkeys(self._splits):
            count, digest = self._data.digest(split).values()
            facts[f"the split {split!r}"] = f"{count:,} examples ({digest})"
        return facts | {name: str(value) for name, value in self._settings.items()}


def code() -> str:
    """What tells the code and the libraries that compute."""
    files = sorted(SOURCES.rglob("*.py"))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "lightning"))
    return f"pg_transfer {short_digest(file.read_bytes() for file in files)}, {libraries}"


def require_alike(facts: Sequence[Facts]) -> None:
    """Raises ValueError if a process differs from the first in one of these."""
    for number, others in enumerate(facts):
        for name, value in facts[0].items():
            if others.get(name) != value:
                raise ValueError(
                    f"the processes of this run are not alike: {name} is {value} for process 0 and "
                    f"{others.get(name, 'unknown')} for process {number}; "
                    f"{REMEDIES.get(name, OTHER_REMEDY)}"
                )


def require_alike_sizes(sizes: Sequence[tuple[int, int]]) -> None:
    """Raises ValueError if processes differ in their micro-batch or in the blocks twice."""
    if len(set(sizes)) == 1:
        return
    micro_batches, twice = (sorted(set(each)) for each in zip(*sizes, strict=True))
    raise ValueError(
        f"the GPUs of this run are unlike, and its processes have settled on different sizes: "
        f"micro_batch {', '.join(map(str, micro_batches))}, model.rematerialise "
        f"{', '.join(map(str, twice))}. Say one for all: micro_batch={micro_batches[0]} "
        f"model.rematerialise={twice[-1]}"
    )

"""That all processes cut an update into the same pieces."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.training.gathering import together


class RequireAlike(Callback):
    """Ends a run whose processes have settled on other sizes, each by the memory of its own GPU.

    They would wait for one another in different places.

    Args:
        micro_batch: of this process.
        rematerialise: the blocks that it computes twice.
    """

    def __init__(self, micro_batch: int, rematerialise: int | bool) -> None:
        self.sizes = micro_batch, int(rematerialise)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares them with those of the others.

        Raises:
            ValueError: they are not the same.
        """
        require_alike(together([self.sizes]))


def require_alike(sizes: list[tuple[int, int]]) -> None:
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

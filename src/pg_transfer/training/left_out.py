"""Examples that a run was told to go on without: counted, listed, reported."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.process.whole_files import write_whole
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData
from pg_transfer.training.gathering import together
from pg_transfer.training.scoring import ScoreTask

LIST = "left_out.json"
NAMED = 5
"""Examples that a remark names; the list has all."""


class LeftOut(Callback):
    """Lists the examples whose images could not be read, in `left_out.json`.

    Args:
        data: to name the examples.
        scorer: knows those of the splits that were scored.
        folder: of the run.
    """

    def __init__(self, data: TransferData, scorer: ScoreTask, *, folder: Path) -> None:
        self.data, self.scorer, self.path = data, scorer, folder / LIST
        self.reasons: dict[str, str] = {}
        self.times: Counter[str] = Counter()
        self._before: Counter[str] = Counter()  # of all processes, when this run went on

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Counts what is missing in the micro-batch; an example's first time is printed."""
        for fault in batch.faults:
            example = self.data.examples(self.data.train)[fault.row].id
            if example not in self.reasons:
                trainer.print(f"left out: {fault.reason!a}")
            self.reasons[example] = fault.reason
            self.times[example] += 1

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds up the counts of all processes, for `remarks`."""
        self._before, self.times = self._total(), Counter()

    def state_dict(self) -> dict[str, Any]:
        """The counts of all processes, which have to ask together, and the reasons."""
        times = self._total()
        return {"times": dict(times), "reasons": self.reasons}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the list so far, which a run that ends early leaves as well."""
        times = checkpoint["callbacks"][self.state_key]["times"]
        if times and trainer.is_global_zero:
            self._write({"training": self._listed(times)})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on counting from there."""
        self._before, self.reasons = Counter(state_dict["times"]), state_dict["reasons"]

    def _total(self) -> Counter[str]:
        """How often each was left out, on all processes, which have to ask together."""
        total = self._before.copy()
        for times, reasons in together([(self.times, self.reasons)]):
            total.update(times)
            self.reasons |= reasons
        return total

    def remarks(self, splits: list[str]) -> list[str]:
        """What a reader of the scores of these splits has to know; saves the list as well."""
        found: dict[str, dict[str, Any]] = {}
        remarks = []
        if self._before:
            found["training"] = self._listed(self._before)
            remarks.append(
                f"training went on without {len(self._before):,} of the "
                f"{len(self.data.examples(self.data.train)):,} examples of {self.data.train!r}, "
                f"whose images could not be read: others took their places, "
                f"{self._before.total():,} times ({_first(self._before)})"
            )
        for split in splits:
            if faults := self.scorer.faults.get(split):
                found[split] = {name: {"reason": reason} for name, reason in faults.items()}
                remarks.append(
                    f"{len(faults):,} of the {len(self.data.examples(split)):,} images of {split!r}"
                    f" could not be read: these examples were not answered, and count as wrong "
                    f"({_first(faults)})"
                )
        if found:
            self._write(found)
            remarks[-1] += f"; the list is {self.path.name}"
        return remarks

    def _listed(self, times: Mapping[str, int]) -> dict[str, Any]:
        return {
            name: {"times": count, "reason": self.reasons[name]}
            for name, count in sorted(times.items())
        }

    def _write(self, found: dict[str, dict[str, Any]]) -> None:
        write_whole(self.path, [json.dumps(found, indent=1, ensure_ascii=False), "\n"])


def _first(names: Any) -> str:
    listed = list(names)
    more = ", ..." if len(listed) > NAMED else ""
    return ", ".join(map(repr, listed[:NAMED])) + more

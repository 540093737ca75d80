"""One training step, one evaluation step, one optimiser: for every task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from pg_transfer.model.decoding import GREEDY, Decoding
from pg_transfer.model.generate import alone
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.batches import Batch
from pg_transfer.training.damaged import CheckpointError
from pg_transfer.training.loss import suffix_loss, summed_last, supervised
from pg_transfer.training.optimizer import adamw, clip_gradients
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.sharding import (
    COMPUTE,
    FullySharded,
    any_of_all,
    is_sharded,
    shard,
)
from pg_transfer.training.tuning import FULL, Tuning
from pg_transfer.training.weights import Base, fingerprint, learning, not_finite, require_fit
from pg_transfer.training.world_size import recount


class NotFiniteError(FloatingPointError):
    """An update could not be made.

    Attributes:
        step: which update of the run it would have been, counted from 1.
        norm: of its gradient.
        losses: of its examples, on this process: [B] of each micro-batch.
    """

    def __init__(self, step: int, loss: float, norm: float, losses: Tensor) -> None:
        super().__init__(
            f"update {step}: loss {loss}, gradient norm {norm}; the weights are still those before "
            f"it. Lower recipe.lr, or look at the data"
        )
        self.step, self.norm, self.losses = step, norm, losses


class TransferModule(LightningModule):
    """Teaches a PaliGemma one task by predicting the suffixes, and has it answer prompts.

    Args:
        model: with the weights to start from.
        recipe: the hyper-parameters.
        steps: updates in the whole run.
        end: the token that ends an answer.
        seed: of dropout, and of answers that are drawn.
        decoding: how answers are found; by default the likeliest token each time.
        tuning: what of the model learns; adapters are attached here.
        source: what the weights are, for checkpoints that hold a part of them.

    Attributes:
        gradient_norm: of the last update, before clipping.
    """

    def __init__(
        self,
        model: PaliGemma,
        recipe: Recipe,
        *,
        steps: int,
        end: int,
        seed: int,
        decoding: Decoding = GREEDY,
        tuning: Tuning = FULL,
        source: str = "the given weights",
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe, self.steps, self.end, self.seed = recipe, steps, end, seed
        self.decoding = decoding
        self.gradient_norm = 0.0
        self._losses: list[Tensor] = []
        self._example_losses: list[Tensor] = []
        self.parts = tuning.parts(recipe)
        needs_base = tuning.needs_base(recipe) and not model.lm_head.weight.is_meta
        self.base = Base(source, fingerprint(model)) if needs_base else None
        tuning.apply(model, recipe, seed=seed)
        self.strict_loading = False  # `on_load_checkpoint` is stricter

    def configure_model(self) -> None:
        """Has the processes hold the weights together, where the strategy is to; once."""
        strategy = self.trainer.strategy
        if not isinstance(strategy, FullySharded) or is_sharded(self):
            return
        self.base = strategy.broadcast(self.base)  # known where the weights were read
        compute = COMPUTE[str(self.trainer.precision)]
        shard(self, self.model, mesh=strategy.device_mesh["data_parallel"], compute=compute)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean of the examples' mean losses."""
        self._seed_place(batch_idx)
        losses = self.losses(batch)
        loss = losses.mean()
        self._losses.append(loss.detach())
        self._example_losses.append(losses.detach())
        return loss

    def losses(self, batch: Batch) -> Tensor:
        """The loss of every example, float32 [B]."""
        inputs, targets = batch.tokens[:, :-1], batch.tokens[:, 1:]
        rows = slice(None) if batch.image_rows is None else batch.image_rows
        table = summed_last(self.model.lm_head.weight)  # before the model looks tokens up in it
        features = self.model(
            batch.images[rows],
            inputs,
            prefix_lengths=batch.prefix_lengths,
            lengths=batch.lengths.clamp(max=inputs.shape[1]),
        )
        chosen = supervised(batch.prefix_lengths, batch.lengths, inputs.shape[1])
        return suffix_loss(
            features[chosen],
            table,
            targets[chosen],
            is_supervised=chosen,
            label_smoothing=self.recipe.label_smoothing,
        )

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clips, and logs what the step is made of.

        Raises:
            NotFiniteError: the loss or the gradients are not finite.
        """
        loss = self.trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean")
        self._losses.clear()
        norm = clip_gradients(self.parameters(), self.recipe.clip_norm)
        self.gradient_norm = float(norm)
        if not (loss.isfinite() and norm.isfinite()):
            losses = torch.cat(self._example_losses)
            raise NotFiniteError(self.global_step + 1, float(loss), self.gradient_norm, losses)
        self._example_losses.clear()
        self.log("loss", loss, prog_bar=True)
        self.log("gradient_norm", norm)
        self.log("lr", optimizer.param_groups[0]["lr"], prog_bar=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> list[list[int]]:
        """For every example the tokens of its answer, padding and end of sequence included."""
        if not batch.rows:
            return []
        self._seed_place(batch_idx)
        answers = self.answers(batch).tolist()
        if isinstance(self, FSDPModule):
            self.reshard()  # between steps no process holds more than its pieces
        return answers

    def answers(self, batch: Batch) -> Tensor:
        """The answer to every prompt, [B, M]."""
        together = partial(any_of_all, device=self.device)
        return self.decoding(
            self.model,
            batch.images,
            batch.tokens,
            lengths=batch.lengths,
            max_new_tokens=self.recipe.text_length,
            end=self.end,
            image_rows=batch.image_rows,
            agree=together if is_sharded(self) else alone,
        )

    def _seed_place(self, batch_idx: int) -> None:
        """Makes chance depend on the place in the run alone, so that a resumed run repeats it."""
        words = np.random.SeedSequence([self.seed, batch_idx, self.global_rank])
        torch.manual_seed(int(words.generate_state(1, np.uint64)[0] >> 1))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with the recipe's schedule, stepped at every update."""
        optimizer = adamw(self.model, self.recipe, self.parts)
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: self.recipe.schedule(step, self.steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps what learns, and says which base it belongs to if it is not all."""
        names = learning(self)
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: weights[name] for name in names}
        checkpoint["base"] = None if self.base is None else asdict(self.base)
        checkpoint["passes"] = self.trainer.accumulate_grad_batches

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Looks at a checkpoint before it is gone on with.

        Raises:
            CheckpointError: it does not hold what learns here, belongs to another base, or has
                values that are not finite.
        """
        require_fit(
            "the checkpoint to go on from",
            checkpoint["state_dict"],
            checkpoint["base"],
            names=learning(self),
            base=self.base,
        )
        if found := not_finite(saved_values(checkpoint)):
            raise CheckpointError(
                f"the checkpoint to go on from is damaged: {found}. Put a whole copy in its place, "
                f"or begin anew in another folder"
            )
        now = self.trainer.accumulate_grad_batches
        recount(checkpoint["loops"]["fit_loop"], saved=checkpoint["passes"], now=now)


def saved_values(checkpoint: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The weights in a checkpoint of Lightning's, and the optimiser's state of them, by name."""
    named = dict(checkpoint["state_dict"])
    for optimizer in checkpoint["optimizer_states"]:
        for place, state in optimizer["state"].items():
            named |= {f"parameter {place}'s {name}": value for name, value in state.items()}
    return ((name, value) for name, value in named.items() if isinstance(value, Tensor))

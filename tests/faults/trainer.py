"""What a user types for Lightning's trainer."""

from __future__ import annotations

from tests.faults.fault import Fault
from tests.faults.making import ON_TEXTVQA, whole

TRAINER = [
    Fault(
        "a second node, of which nobody has started the processes",
        whole,
        (*ON_TEXTVQA, "+trainer.num_nodes=2", "micro_batch=1"),
        "trainer.devices=1 and trainer.num_nodes=2, and nobody has started the processes of the "
        "other nodes: start a process for each device by srun or torchrun (docs/several_gpus.md), "
        "or say trainer.num_nodes=1",
    ),
    Fault(
        "processes that would each learn alone",
        whole,
        (
            *ON_TEXTVQA,
            "trainer.strategy={_target_: lightning.pytorch.strategies.ModelParallelStrategy}",
        ),
        "trainer.strategy is Lightning's ModelParallelStrategy, under which each process would "
        "clip the gradients that it holds, or learn alone: take trainer=ddp, or trainer=fsdp, "
        "which shares the weights out",
    ),
    Fault(
        "processes that are copies of the first",
        whole,
        (*ON_TEXTVQA, "trainer.devices=2", "trainer.strategy=ddp_spawn", "micro_batch=1"),
        "trainer.strategy spawns or forks processes, whose scores this one would not have: take "
        "trainer.strategy=ddp, under which each is a program of its own",
    ),
    Fault(
        "no update whose losses are to be logged",
        whole,
        (*ON_TEXTVQA, "trainer.log_every_n_steps=0"),
        "trainer.log_every_n_steps=0 is no whole number from 1 up",
    ),
    Fault(
        "a setting of the trainer that the run makes for itself",
        whole,
        (*ON_TEXTVQA, "+trainer.max_epochs=3"),
        "trainer.max_epochs=3 is for the run to settle: recipe.epochs=... says how long it is",
    ),
]

"""What a user types."""

from __future__ import annotations

from pg_transfer.project import CONF
from pg_transfer.running.choices import listed
from tests.faults.fault import Fault
from tests.faults.making import (
    ON_TEXTVQA,
    nothing,
    record,
    refcoco,
    whole,
)

SETTINGS = [
    Fault(
        "a setting that does not exist",
        whole,
        (*ON_TEXTVQA, "recipe.learning_rate=1e-5"),
        "there is no setting recipe.learning_rate (is it recipe.lr?); in recipe there are "
        "batch_size, beta2, clip_norm, dropout, epochs, freeze_language, freeze_vision, "
        "label_smoothing, lr, text_length, warmup, weight_decay",
    ),
    Fault(
        "a setting that is added and that nothing reads",
        whole,
        (*ON_TEXTVQA, "+recipe.droput=0.1"),
        "there is no setting recipe.droput, and nothing would read it (is it recipe.dropout?); in "
        "recipe there are batch_size, beta2, clip_norm, dropout, epochs, freeze_language, "
        "freeze_vision, label_smoothing, lr, text_length, warmup, weight_decay",
    ),
    Fault(
        "a setting by the name that Lightning has for it",
        whole,
        (*ON_TEXTVQA, "trainer.max_epochs=3"),
        "there is no setting trainer.max_epochs (is it recipe.epochs?); in trainer there are …",
    ),
    Fault(
        "the name of a run without the setting's",
        nothing,
        ("runs/mine",),
        "runs/mine: a setting is written name=value; --help lists what there is",
    ),
    Fault(
        "a task that does not exist",
        nothing,
        ("task=textvqua",),
        f"there is no task=textvqua; it can be\n{listed(CONF / 'task')}",
    ),
    Fault(
        "weights of the hub in the place of a model",
        nothing,
        ("model=google/paligemma-3b-mix-224",),
        "there is no model=google/paligemma-3b-mix-224; it can be paligemma2_10b, "
        "paligemma2_28b, paligemma2_3b, paligemma_3b, tiny, which may start from other weights: "
        "model.weights=google/paligemma-3b-mix-224",
        is_quick=False,
    ),
    Fault(
        "a setting that the task does not take",
        whole,
        (*ON_TEXTVQA, "+task.colour=red"),
        "there is no setting task.colour; TextVQA takes root, rotations",
    ),
    Fault(
        "a plus before a group that is chosen anyway",
        whole,
        (*ON_TEXTVQA, "+experiment=own_data_24gb"),
        "experiment= has its place already, and once is enough: experiment=..., without a +",
    ),
    Fault(
        "a split that does not exist",
        whole,
        (*ON_TEXTVQA, "splits.report=[testing]"),
        "TextVQA has no split 'testing'; there are train, val, test",
    ),
    Fault(
        "brackets without quotes",
        whole,
        (*ON_TEXTVQA, "splits.train=train[:9]"),
        "splits.train=train[:9] cannot be read: …. Brackets, commas and spaces need quotes, "
        "and the shell takes one pair away: 'splits.train=\"train[:9]\"'",
    ),
    Fault(
        "a slice without bounds",
        whole,
        (*ON_TEXTVQA, 'splits.train="train[:half]"'),
        "'train[:half]' is no split; write them as train, train+val, train[:98%] or train[-500:]",
    ),
    Fault(
        "a slice without examples",
        whole,
        (*ON_TEXTVQA, 'splits.train="train[:0]"'),
        "the split 'train[:0]' has no examples",
    ),
    Fault(
        "a resolution without a published recipe",
        nothing,
        ("task=refcoco", "resolution=336"),
        "no published recipe at resolution=336; this task has 224, 448, 896. For another one "
        "give every line of the recipe by hand: recipe.lr=... and so on",
        is_quick=False,
    ),
    Fault(
        "a resolution that is no multiple of the patch",
        whole,
        (*ON_TEXTVQA, "resolution=30"),
        "a resolution of 30 px is no multiple of the 14 px patch",
    ),
    Fault(
        "a batch that cannot be cut into micro-batches",
        whole,
        (*ON_TEXTVQA, "recipe.batch_size=3"),
        "recipe.batch_size=3 is no multiple of micro_batch=2 times 1 process(es); "
        "micro_batch=1 or 3 will do",
    ),
    Fault(
        "a batch that cannot be shared by the devices",
        whole,
        (*ON_TEXTVQA, "trainer.devices=3"),
        "recipe.batch_size=2 is no multiple of micro_batch=2 times 3 process(es); it cannot "
        "be shared by 3 processes: take another number of devices",
    ),
    Fault(
        "a micro-batch that is no number",
        whole,
        (*ON_TEXTVQA, "micro_batch=two"),
        "micro_batch=two is no whole number from 1 up",
    ),
    Fault(
        "an answer longer than the text length",
        record(answers=["a very long answer " * 9] * 10),
        (*ON_TEXTVQA, "on_cut=error"),
        "example '2' of 'train' lost its suffix: its text is longer than "
        "recipe.text_length=64; raise that, or set on_cut=report",
    ),
    Fault(
        "a run too short for its warm-up",
        whole,
        (*ON_TEXTVQA, "recipe.warmup=0.5", "recipe.epochs=0.5"),
        "a run of 1 step(s) has no room for 1 of warm-up; train on more examples, raise "
        "recipe.epochs, lower recipe.batch_size or set recipe.warmup=0",
    ),
    Fault(
        "an end of training by what is known by heart",
        whole,
        ("task=textvqa", "validations=2", "patience=1"),
        "patience=1 would end the training by scores of 'train[:5120]', which is learnt from "
        "('train+val'): they tell how much is known by heart, not what is better. Hold data out "
        "with final_split=false",
    ),
    Fault(
        "a dropout of more than one",
        whole,
        (*ON_TEXTVQA, "recipe.dropout=1.5"),
        "recipe.dropout=1.5 is not in [0, 1)",
    ),
    Fault(
        "a precision in which the weights do not move",
        whole,
        (*ON_TEXTVQA, "trainer.precision=bf16-true", "recipe.lr=1e-5"),
        "trainer.precision=bf16-true with a learning rate of 1e-05 for the vision part: "
        "weights of so few bits do not move at it (one update is far below their spacing). "
        "Take trainer.precision=bf16-mixed: float32 weights, bfloat16 compute",
    ),
    Fault(
        "a password among the settings",
        whole,
        (*ON_TEXTVQA, "+wandb.api_key=0123456789abcdef"),
        "the setting wandb.api_key looks like a secret, and settings are saved with the run: "
        "give it in the environment instead, such as HF_TOKEN or WANDB_API_KEY, or log in "
        "with `hf auth login` or `wandb login`",
    ),
    Fault(
        "no epoch at all",
        whole,
        (*ON_TEXTVQA, "recipe.epochs=0"),
        "recipe.epochs=0 is not above 0",
    ),
    Fault(
        "fewer epochs than none",
        whole,
        (*ON_TEXTVQA, "recipe.epochs=-1"),
        "recipe.epochs=-1 is not above 0",
    ),
    Fault(
        "epochs without end",
        whole,
        (*ON_TEXTVQA, "recipe.epochs=inf"),
        "recipe.epochs=inf is endless",
    ),
    Fault(
        "more epochs than a machine makes",
        whole,
        (*ON_TEXTVQA, "recipe.epochs=1e12"),
        "recipe.epochs=1000000000000.0 of 4 examples are 2e+12 updates, more than "
        "1,000,000,000: lower it",
    ),
    Fault(
        "a batch that is no whole number",
        whole,
        (*ON_TEXTVQA, "recipe.batch_size=2.5"),
        "recipe.batch_size=2.5 is no whole number",
    ),
    Fault(
        "a learning rate that is none",
        whole,
        (*ON_TEXTVQA, "recipe.lr=fast"),
        "recipe.lr='fast' is no number",
    ),
    Fault(
        "a switch that is neither on nor off",
        whole,
        (*ON_TEXTVQA, "preview=maybe"),
        "preview=maybe is neither true nor false",
    ),
    Fault(
        "blocks to compute twice that are neither all, none nor a number",
        whole,
        (*ON_TEXTVQA, "model.rematerialise=sometimes"),
        "model.rematerialise=sometimes: it is true (all blocks are computed twice), false (none), "
        "auto (as few as memory asks for), or how many",
    ),
    Fault(
        "more blocks to compute twice than there are",
        whole,
        (*ON_TEXTVQA, "model.rematerialise=6"),
        "rematerialise=6: the model has 5 blocks",
    ),
    Fault(
        "a seed that is too large",
        whole,
        (*ON_TEXTVQA, "seed=9223372036854775808"),
        "seed=9223372036854775808 is too large; 9223372036854775807 is the last there is",
    ),
    Fault(
        "a list of splits without brackets",
        whole,
        (*ON_TEXTVQA, "splits.report=val"),
        "splits.report=val is no list of splits; write it in brackets and quotes: "
        "'splits.report=[val]'",
    ),
    Fault(
        "no split to score",
        whole,
        (*ON_TEXTVQA, "splits.report=[]"),
        "splits.report=[] leaves nothing to score at the end; name a split in it",
    ),
    Fault(
        "weights by a variable of the shell that is not set",
        whole,
        (*ON_TEXTVQA, "model.weights="),
        "model.weights= is no name of a file or folder",
    ),
    Fault(
        "a split that is a number",
        whole,
        (*ON_TEXTVQA, "splits.validate=3"),
        "splits.validate: 3 is no name of a split, such as train",
    ),
    Fault(
        "a split that can only be learnt from",
        refcoco(),
        ("task=refcoco", "model.mask_codec=builtin", "splits.validate=train"),
        "the split 'train' cannot be scored: RefCOCO's examples of it "
        "are images, of which no object is asked for. Score refcoco/val, refcoco/testA, "
        "refcoco/testB, refcoco+/val, refcoco+/testA, refcoco+/testB, refcocog/val, "
        "refcocog/test, which are held out, or what is known by heart: refcoco/train, "
        "refcoco+/train, refcocog/train",
    ),
    Fault(
        "a number in place of a table",
        whole,
        (*ON_TEXTVQA, "splits=3"),
        "splits=3 is no table of settings; set one of it: splits.x=y",
    ),
    Fault(
        "a value that is looked up where nothing is",
        whole,
        (*ON_TEXTVQA, "task.root=${nowhere}"),
        "task.root: Interpolation key 'nowhere' not found",
    ),
    Fault(
        "a split that is a number, of a task in a mixture",
        whole,
        ("task=mixture", "mixture={textvqa: {splits: {validate: 3}}}"),
        "mixture.textvqa.splits.validate=3 is no name of a split",
    ),
    Fault(
        "a task that nobody has written",
        nothing,
        ("task=custom", "data=my.jsonl", "task._target_=tasks.unwritten.Unwritten"),
        "task._target_=tasks.unwritten.Unwritten: there is no tasks/unwritten.py here; write it, "
        "or mend the name. docs/adding_a_task.md tells how a task is made",
    ),
    Fault(
        "a place that is a number",
        whole,
        (*ON_TEXTVQA, "task.root=3"),
        "task.root=3 is no text; a text that looks like a number needs quotes and the "
        "shell's: '...=\"3\"'",
    ),
    Fault(
        "devices that are no number",
        whole,
        (*ON_TEXTVQA, "trainer.devices=all"),
        "trainer.accelerator=cpu trainer.devices=all trainer.strategy=auto "
        "trainer.precision=32-true: …",
    ),
]

"""What a run leaves, goes on from and is scored by."""

from __future__ import annotations

from tests.faults.broken_runs import (
    Attack,
    answers,
    checkpoint,
    narrowed,
    settings,
    train,
    trained,
    with_nan,
)
from tests.faults.fault import Fault
from tests.faults.making import (
    ON_TEXTVQA,
    also,
    edited,
    file,
    link,
    nothing,
    refcoco,
    whole,
)

BACK = (
    "The schedule and the order of a run depend on all of them: put the data back as it was, or "
    "begin anew in another folder, run=..."
)

RUNS = [
    Fault(
        "a loss that is not finite",
        whole,
        (*ON_TEXTVQA, "recipe.lr=1e30", "recipe.epochs=3"),
        "update 2: loss nan, gradient norm nan; the weights are still those before it. Lower "
        "recipe.lr, or look at the data. Its examples, each with its loss, are in "
        "run/not_finite-update000002.json",
    ),
    Fault(
        "the folder of a run with other settings",
        train,
        (*ON_TEXTVQA, "recipe.lr=1e-4"),
        "run=run holds another run; repeat its settings to go on with it, or choose another "
        "folder. Different are: recipe.lr: 0.001 there, 0.0001 now",
    ),
    Fault(
        "a run's damaged settings",
        also(whole, file("run/config.yaml", b"resolution: [56\n")),
        (*ON_TEXTVQA,),
        "run/config.yaml holds no settings of a run of train.py: …",
    ),
    Fault(
        "a damaged checkpoint to go on from",
        also(whole, file("run/checkpoints/last.ckpt", b"PK\x03\x04")),
        (*ON_TEXTVQA,),
        "run/checkpoints/last.ckpt is no checkpoint of a run of ours, or a damaged one …; "
        "take it away, or put a whole one in its place",
    ),
    Fault(
        "a run that goes on with fewer examples",
        trained(edited("TextVQA_0.5.1_train.json", lambda content: content["data"].pop())),
        (*ON_TEXTVQA,),
        "the checkpoint to go on from was trained on other data: 4 examples of 'train' there, and "
        f"3 now. {BACK}",
    ),
    Fault(
        "a run that goes on with other questions",
        trained(
            edited(
                "TextVQA_0.5.1_train.json",
                lambda content: content["data"][1].update(question="what else?"),
            )
        ),
        (*ON_TEXTVQA,),
        "the checkpoint to go on from was trained on other data: as many examples of 'train', 4, "
        f"but not the same ones in the same order. {BACK}",
    ),
    Fault(
        "a damaged log to go on with",
        trained(file("run/metrics.csv", b"loss\n1.5\n")),
        (*ON_TEXTVQA,),
        "run/metrics.csv is no log of a run, or a damaged one ('step'); take it away, and the run "
        "goes on without its beginning",
    ),
    Fault(
        "a full disk",
        also(whole, link("run/config.yaml.part", "/dev/full")),
        (*ON_TEXTVQA,),
        "run/config.yaml.part: No space left on device; free some space, or choose "
        "another folder, and start again: what was saved last is whole",
    ),
    Fault(
        "a folder that may not be written to",
        whole,
        (*ON_TEXTVQA, "run=/sys/kernel/run"),
        "/sys/kernel/run: Operation not permitted; let this user read and write there, or "
        "choose another folder",
    ),
    Fault(
        "a file where the run's folder should be",
        also(whole, file("run", b"")),
        (*ON_TEXTVQA,),
        "run: File exists; this exists already and is of another kind: choose another one",
    ),
    Fault(
        "no run to evaluate",
        nothing,
        ("run=nowhere",),
        "nowhere holds no config.yaml; give the folder of a train.py run",
        program="evaluate.py",
    ),
    Fault(
        "weights to evaluate that are of no run",
        nothing,
        ("task=textvqa", "model.weights=google/paligemma-3b-mix-224"),
        "task= is train.py's: a run is scored by evaluate.py run=... Weights without a run, as "
        "they were released or exported, are scored by python train.py task=... "
        "model.weights=... score_only=true",
        program="evaluate.py",
    ),
    Fault(
        "another task for a run",
        nothing,
        ("run=run", "task=textvqa"),
        "task= is settled by the run that is scored: leave it out. Other data of the kind are "
        "given by root=..., and other splits of it by split=...",
        program="evaluate.py",
    ),
    Fault(
        "float16 for an evaluation",
        trained(nothing),
        ("run=run", "trainer.precision=16-mixed"),
        "trainer.precision=16-mixed: float16 needs gradients to be scaled, which the recipe's "
        "clipping would take for large ones. Take bf16-mixed, or 32-true where a GPU has no "
        "bfloat16",
        program="evaluate.py",
    ),
    Fault(
        "the starting weights of a run that has trained",
        trained(nothing),
        (*ON_TEXTVQA, "score_only=true"),
        "run=run holds weights that were trained: evaluate.py run=run scores them, and "
        "score_only=true those that a run starts from, in a folder of its own",
    ),
    Fault(
        "a run that was begun with a setting that is refused by now",
        settings("trainer:\n", "trainer:\n  max_time: 00:01:00:00\n"),
        (*ON_TEXTVQA, "+trainer.max_time=00:01:00:00"),
        "run/config.yaml, line …: this run was begun with trainer.max_time=00:01:00:00, which is "
        "for the run to settle by now (it would end in the midst of an update; asked to stop, it "
        "finishes that first, and can go on: timeout --signal=INT 3600 python train.py ...). To go "
        "on with it, delete that line, and leave the setting out of the command",
    ),
    Fault(
        "a folder of images for a run whose task has its own",
        trained(nothing),
        ("run=run", "images=photos"),
        "images=photos: this run's task finds its images in its own data; root=... says where "
        "that lies",
        program="evaluate.py",
    ),
    Fault(
        "a part of a split to evaluate, in the words of the trainer",
        trained(nothing),
        ("run=run", "+trainer.limit_val_batches=2"),
        "trainer.limit_val_batches=2 is for the run to settle: a split is scored whole; a "
        "part of one is a split of its own, 'val[:100]'",
        program="evaluate.py",
    ),
    Fault(
        "no checkpoint to evaluate",
        trained(lambda folder: (folder / "run/checkpoints/last.ckpt").unlink()),
        ("run=run",),
        "no checkpoint run/checkpoints/last.ckpt; in its folder: best.safetensors",
        program="evaluate.py",
    ),
    Fault(
        "a checkpoint of another model",
        checkpoint("other.ckpt", lambda content: content["state_dict"].popitem()),
        ("run=run", "checkpoint=other.ckpt"),
        "other.ckpt is no checkpoint of this model under this tuning: of the 68 parameters "
        "that learn it lacks 1 (model.language_model.norm.weight), and it has 0 others ()",
        program="evaluate.py",
    ),
    Fault(
        "a checkpoint of a model of another size",
        checkpoint("other.ckpt", narrowed),
        ("run=run", "checkpoint=other.ckpt"),
        "other.ckpt is of another size than this model: …",
        program="evaluate.py",
    ),
    Fault(
        "a checkpoint with weights that are no numbers",
        checkpoint("other.ckpt", with_nan),
        ("run=run", "checkpoint=other.ckpt"),
        "other.ckpt: 1 of the … values of model.language_model.norm.weight are not finite (NaN or "
        "infinity): nothing can be learnt or answered with them. Take an earlier checkpoint, or "
        "download the weights again",
        program="evaluate.py",
    ),
    Fault(
        "a checkpoint that would run a program",
        checkpoint("other.ckpt", lambda content: content.update(more=Attack())),
        ("run=run", "checkpoint=other.ckpt"),
        "other.ckpt holds other things than weights and numbers, or is damaged: opened "
        "without care it could run code. Refused; take a checkpoint that a run of ours has "
        "written",
        program="evaluate.py",
    ),
    Fault(
        "a downloaded run whose settings would run a program",
        settings("tasks.textvqa.TextVQA", "os.system"),
        ("run=run",),
        "run/config.yaml: task._target_=os.system is no task of this project nor anything "
        "else that a run needs; whoever wrote the file could have it run any code here. If it"
        " is your own class, or you trust it, set PG_TRUST=os.system in the environment",
        program="evaluate.py",
    ),
    Fault(
        "a downloaded run that asks for the environment",
        settings("data/textvqa", "${oc.env:HOME}"),
        ("run=run",),
        "run/config.yaml holds no settings of a run of train.py: task.root=${oc.env:HOME} "
        "would be looked up on this machine",
        program="evaluate.py",
    ),
    Fault(
        "answers to a part of a split",
        answers({"id": "100", "answer": "two"}),
        ("run=run", "answers=answers.jsonl", "split=val"),
        "answers.jsonl: 3 of 4 examples have no answer, the first is '101'; a split is scored"
        " whole or not at all",
        program="evaluate.py",
    ),
    Fault(
        "two answers to one example",
        answers({"id": "100", "answer": "2"}, {"id": "100", "answer": "3"}),
        ("run=run", "answers=answers.jsonl", "split=val"),
        "answers.jsonl, line 2: a second answer for '100'",
        program="evaluate.py",
    ),
    Fault(
        "answers to another split",
        answers({"id": "0", "answer": "two"}),
        ("run=run", "answers=answers.jsonl", "split=val"),
        "answers.jsonl, line 1: no example of this split has the id '0'; is it the right split?",
        program="evaluate.py",
    ),
    Fault(
        "a file of answers that is none",
        answers({"question": 0, "reply": "two"}),
        ("run=run", "answers=answers.jsonl", "split=val"),
        'answers.jsonl, line 1: not a row such as {"id": "7", "answer": "two"} (\'id\')',
        program="evaluate.py",
    ),
    Fault(
        "the folder of a run of another task",
        also(train, refcoco()),
        ("task=refcoco", "model.mask_codec=builtin"),
        "run=run holds a run of task=textvqa, and this is one of task=refcoco: choose another"
        " folder",
    ),
    Fault(
        "a run without a name",
        whole,
        (*ON_TEXTVQA, "run="),
        "run= has no name of a folder; leave it out, and the run gets one",
    ),
    Fault(
        "a run whose name is a number",
        nothing,
        ("run=3",),
        "run=3 is no name; a name that looks like a number needs quotes and the shell's: "
        "'run=\"3\"'",
        program="evaluate.py",
    ),
    Fault(
        "a setting that is added to an evaluation and that nothing reads",
        nothing,
        ("run=run", "+beam=2"),
        "there is no setting beam, and nothing would read it (is it beams?); there are answers, "
        "beams, checkpoint, compare, evaluation_batch, images, nucleus, on_error, page, pictured, "
        "root, run, split, temperature, trainer, weights",
        program="evaluate.py",
    ),
    Fault(
        "answers in another encoding",
        trained(file("answers.jsonl", '{"id": "100"}'.encode("utf-16"))),
        ("run=run", "answers=answers.jsonl", "split=val"),
        "answers.jsonl: no UTF-8 text …; save it as UTF-8",
        program="evaluate.py",
    ),
]

"""Programs besides training and evaluation."""

from __future__ import annotations

from pg_transfer.project import CONF
from tests.faults.broken_runs import settings, trained
from tests.faults.fault import Fault
from tests.faults.making import IMAGE, also, file, nothing, odd_name, whole

TASKS = ", ".join(sorted(path.stem for path in (CONF / "task").glob("*.yaml")))

PROGRAMS = [
    Fault(
        "no run to ask",
        whole,
        ("nowhere", "--images", str(IMAGE), "--prompt", "what is it?"),
        "no weights at 'nowhere'; give an existing .npz file or folder, or the name of a "
        "model on the hub such as google/paligemma-3b-pt-224",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "no image to ask about",
        trained(nothing),
        ("run",),
        "give --images: files, folders or patterns; or --prompts, a file of both",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "an image that is not there to be asked about",
        trained(nothing),
        ("run", "--images", "no.jpg", "--prompt", "what is it?"),
        "no image file no.jpg",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "an image whose name is not in UTF-8",
        also(trained(nothing), odd_name),
        ("run", "--images", "odd", "--prompt", "what is it?"),
        "odd/\\udcff.jpg: the name of this file is not in UTF-8; rename it",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "images of which none can be read, though they may be skipped",
        also(trained(nothing), file("a.jpg", b""), file("b.jpg", b"no image")),
        ("run", "--images", "a.jpg", "b.jpg", "--prompt", "what is it?", "--on-error", "skip"),
        "2 images cannot be read, and without them there is nothing to answer; the first: a.jpg: "
        "cannot be read as an image (the file is empty); fetch the file again, or convert it to "
        "one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "answers that were begun by another call",
        also(
            trained(nothing),
            file(
                "to/answers.jsonl.part",
                b'{"image": "a.jpg", "prompt": "x", "answer": "y", "boxes": [], "malformed": [], '
                b'"picture": null}\n',
            ),
        ),
        ("run", "--images", str(IMAGE), "--prompt", "what is it?", "--to", "to"),
        "to holds 1 answer(s) of a call that was cut short, and this one asks otherwise (…): "
        "repeat that call to go on with it, or choose another folder with --to",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "a file of prompts that is none",
        trained(file("prompts.jsonl", b'{"image": "a.jpg"}')),
        ("run", "--prompts", "prompts.jsonl"),
        'prompts.jsonl, line 1: not a row such as {"image": "cat.jpg", "prompt": "detect '
        "cat\"} (KeyError: 'prompt')",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "prompts about one image and about two",
        trained(
            file(
                "prompts.jsonl",
                b'{"image": "a.jpg", "prompt": "which?"}\n'
                b'{"images": ["a.jpg", "b.jpg"], "prompt": "which?"}\n',
            )
        ),
        ("run", "--prompts", "prompts.jsonl"),
        "prompts.jsonl, line 2: this prompt is about 2 and the first about 1 images; a model has "
        "learnt from one number of them, so ask about others in another call",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "two images together, of a model that has learnt from one at a time",
        also(trained(nothing), file("a.jpg", b""), file("b.jpg", b"")),
        ("run", "--images", "a.jpg", "b.jpg", "--together", "--prompt", "which?"),
        "a.jpg: a prompt about 2 images together, and the model has learnt from one at a time: "
        "ask about each",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "a device that is not there",
        trained(nothing),
        ("run", "--images", str(IMAGE), "--prompt", "what is it?", "--device", "gpu"),
        "device=gpu is none of this machine's; say cpu, cuda or cuda:1",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "more beams than tokens",
        trained(nothing),
        ("run", "--images", str(IMAGE), "--prompt", "what is it?", "--beams", "9999"),
        "beams=9999 is not between 1 and 2047",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "a tokenizer that is not there",
        trained(nothing),
        ("run", "--images", str(IMAGE), "--prompt", "what is it?", "--tokenizer", "nowhere"),
        "no tokenizer at 'nowhere'; give a file (tokenizer.model, tokenizer.json), a folder "
        "that has one, or the name of a model on the hub",
        program="-m pg_transfer.predict",
    ),
    Fault(
        "an export into a folder that is taken",
        trained(nothing),
        ("run", "--to", "data", "--format", "huggingface"),
        "data is there already; choose another folder to write into",
        program="-m pg_transfer.export",
    ),
    Fault(
        "an export of adapters that there are not",
        trained(nothing),
        ("run", "--to", "exported", "--format", "adapter"),
        "run has no adapters; --format huggingface writes the whole model",
        program="-m pg_transfer.export",
    ),
    Fault(
        "an export of a damaged checkpoint",
        trained(file("run/checkpoints/last.ckpt", b"PK")),
        ("run", "--to", "exported", "--format", "huggingface"),
        "run/checkpoints/last.ckpt is no checkpoint of a run of ours, or a damaged one …; "
        "take it away, or put a whole one in its place",
        program="-m pg_transfer.export",
    ),
    Fault(
        "a plan for a GPU that is not known",
        nothing,
        ("task=textvqa", "--device", "b9000"),
        "--device b9000 is not known; there are …, or say how many GB it has, more than 1.5: "
        "--device 80",
        program="-m pg_transfer.plan",
    ),
    Fault(
        "a plan with a setting that is added and that nothing reads",
        nothing,
        ("task=textvqa", "+model.wieghts=runs/mine"),
        "there is no setting model.wieghts, and nothing would read it (is it model.weights?); in "
        "model there are mask_codec, rematerialise, resample, size, tokenizer, weights",
        program="-m pg_transfer.plan",
    ),
    Fault(
        "a plan by the speed of a run whose log is damaged",
        trained(file("run/metrics.csv", b"images_per_second,peak_memory_gb\nfast,1\n")),
        ("task=textvqa", "model=tiny", "--measured", "run"),
        "run/metrics.csv is no log of a run, or a damaged one (could not convert string to float: "
        "'fast')",
        program="-m pg_transfer.plan",
    ),
    Fault(
        "a run whose settings lack a part",
        settings("\nrecipe:", "\nrenamed:"),
        ("run", "--to", "exported", "--format", "huggingface"),
        "run/config.yaml holds no settings of a run of train.py: it has no recipe",
        program="-m pg_transfer.export",
    ),
    Fault(
        "a plan for a task that does not exist",
        nothing,
        ("task=textvqua",),
        f"there is no task=textvqua; it can be {TASKS}",
        program="-m pg_transfer.plan",
    ),
    Fault(
        "a sweep over nothing",
        nothing,
        ("task=textvqa",),
        "nothing is searched: give a setting several values, such as recipe.lr=1e-5,3e-5 or "
        "'recipe.lr=tag(log, interval(1e-6, 1e-4))'",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep without an end",
        nothing,
        ("task=textvqa", "recipe.lr=interval(1e-5, 1e-4)"),
        "an interval has no end of values: say how many to try, --trials 20, or name them, "
        "recipe.lr=1e-5,3e-5",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep to infinity",
        nothing,
        ("task=textvqa", "recipe.lr=interval(0, inf)", "--trials", "3"),
        "recipe.lr=interval(0, inf): both ends have to be finite numbers",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep over a setting that there is not",
        nothing,
        ("task=shapes", "+recipe.momentum=0.9,0.99"),
        "there is no setting recipe.momentum, and nothing would read it; in recipe there are "
        "batch_size, beta2, clip_norm, dropout, epochs, freeze_language, freeze_vision, "
        "label_smoothing, lr, text_length, warmup, weight_decay",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep whose trials are compared by what they know by heart",
        nothing,
        ("task=textvqa", "recipe.lr=1e-6,3e-6"),
        "the trials would be compared by scores of 'train[:5120]', which is learnt from "
        "('train+val'): they tell how much is known by heart, not what is better. Hold data out "
        "with final_split=false",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep over a value that cannot be",
        nothing,
        ("task=textvqa", "recipe.lr=1e-5,fast"),
        "recipe.lr='fast' is no number",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep to go on with that is not there",
        nothing,
        ("--to", "sweeep", "--retry"),
        "--to sweeep: no sweep lies there to go on with; look at its spelling, or begin one there "
        "with settings, such as recipe.lr=1e-5,3e-5",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a sweep whose notes are damaged",
        file("sweep/search.json", b'{"settings": 3}'),
        ("--to", "sweep"),
        "sweep/search.json does not say what was searched: …",
        program="-m pg_transfer.sweep",
    ),
    Fault(
        "a checkpoint in one file that is none",
        nothing,
        ("nowhere",),
        "no checkpoint nowhere",
        program="-m pg_transfer.consolidate",
    ),
]

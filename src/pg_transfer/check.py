"""Goes over a data set before it is trained on: `python -m pg_transfer.check task=textvqa`.

Takes the settings that `train.py` takes. What it finds is printed, and saved with a page of
labelled examples; it ends with exit code 1 if anything is broken. docs/check.md tells more.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from rich.progress import MofNCompleteColumn, Progress

from pg_transfer.checking.files import File, Seen, look_at_all
from pg_transfer.checking.findings import Findings, files_of
from pg_transfer.checking.labels import write_labels
from pg_transfer.checking.texts import drawn_targets, measure_prompts, measure_targets
from pg_transfer.data.json_records import progress_told
from pg_transfer.data.release import all_faults_wanted, missing_images_allowed
from pg_transfer.data.splits import Splits
from pg_transfer.process.console import (
    CONSOLE,
    USER_ERRORS,
    facts_table,
    quiet_libraries,
    reports_errors,
    say,
    user_message,
)
from pg_transfer.process.slow_reading import SlowReading
from pg_transfer.process.whole_files import write_whole
from pg_transfer.project import CONF, ROOT
from pg_transfer.reporting.answers import file_name
from pg_transfer.running.additions import refuse_additions
from pg_transfer.running.choices import each_tracker
from pg_transfer.running.mixing import with_components
from pg_transfer.task import Clip, Example, Task
from pg_transfer.text.tokenizer import Tokenizer

REPORT = "check.json"
SHOWN = 10
"""Lines of a kind on the terminal; the report has all."""


@reports_errors
def check(options: argparse.Namespace) -> None:
    """Goes over the data set that the settings name, and exits with 1 if it is broken.

    Raises:
        FileNotFoundError: there is no data set there at all.
        ValueError: settings that do not fit.
    """
    from pg_transfer.running.parts import build_task, read_tokenizer  # which takes seconds

    quiet_libraries()
    config = composed(options.settings)
    found = Findings()
    with (
        missing_images_allowed() as missing,
        all_faults_wanted() as faults,
        progress_told(SlowReading()),
    ):
        try:
            task = build_task(config)
        except (ValueError, InstantiationException) as error:
            if not faults.sentences:
                raise
            found.broken += [*faults.sentences, f"without these: {user_message(error)}"]
            show(found, options.to)
            sys.exit(1)
        examples = read_splits(config, Splits(task), found)
    found.broken += [*faults.sentences, *missing]
    found.recognised += task.findings
    found.notes[:0] = task.departures
    found.add_counts(examples, task.sizes)
    files = look_at_files(examples, decode=options.decode, processes=options.processes)
    found.add_files(files)
    found.add_shapes(examples, files, task)
    found.add_repeated(examples, files, train=config.splits.train)
    tokenizer = None
    try:
        tokenizer = read_tokenizer(config)
    except USER_ERRORS as error:
        found.notes.append(f"texts are not measured, as there is no tokenizer: {error}")
    for split, those in examples.items():
        is_learnt = split == config.splits.train
        look_at_texts(
            found, task, split, those, tokenizer,
            window=config.recipe.text_length, is_learnt=is_learnt, most=options.sample,
            lines="\n" in (config.get("prompt") or ""),
        )  # fmt: skip
        if options.examples and (is_learnt or split == config.splits.validate):
            whole = {one.file for one in files if not one.broken}
            usable = [one for one in those if whole.issuperset(files_of(one.image))]
            chosen = Random(0).sample(usable, min(options.examples, len(usable)))
            path = options.to / f"labels-{file_name(split)}.html"
            if chosen:
                found.pages.append(write_labels(path, task, chosen, tokenizer, split=split))
    show(found, options.to)
    if found.broken:
        sys.exit(1)


def composed(settings: Sequence[str]) -> DictConfig:
    """The settings as `train.py` would have them."""
    from pg_transfer.running.settings import register_resolvers

    register_resolvers()
    settings = each_tracker(settings)
    with initialize_config_dir(str(CONF), version_base=None):
        refuse_additions(settings, "train")
        return with_components(compose("train", overrides=["run=null", *settings]))


def read_splits(
    config: DictConfig, splits: Splits, found: Findings
) -> dict[str, Sequence[Example]]:
    """The examples of every split that a run would read; those it could not are broken.

    Splits that fail alike are told together, and what to fetch is told once.
    """
    examples: dict[str, Sequence[Example]] = {}
    failed: dict[tuple[str, bool], list[str]] = {}
    optional = config.splits.get("optional") or ()
    wanted = [config.splits.train, config.splits.validate, *config.splits.report, *optional]
    for split in dict.fromkeys(wanted):
        try:
            examples[split] = splits.examples(split)
            if split in wanted[1:]:
                splits.scored(split)
        except (FileNotFoundError, ValueError) as error:
            is_fine = split in optional and isinstance(error, FileNotFoundError)
            failed.setdefault((str(error), is_fine), []).append(split)
    told: set[str] = set()
    for (error, is_fine), those in failed.items():
        what, *advice = error.split("\n")
        new = [line for line in advice if line not in told]
        told.update(new)
        kind = found.notes if is_fine else found.broken
        kind.append("\n".join([f"{', '.join(those)} cannot be read: {what}", *new]))
    return examples


def look_at_files(
    examples: dict[str, Sequence[Example]], *, decode: bool, processes: int
) -> list[Seen]:
    """What there is to say about each image file of these splits, and each video."""
    sources = [
        source
        for those in examples.values()
        for one in those
        for source in ([one.image] if isinstance(one.image, Clip) else files_of(one.image))
    ]
    sources = list(dict.fromkeys(sources))
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=CONSOLE, transient=True) as progress:
        bar = progress.add_task("decoding" if decode else "looking at images", total=len(sources))
        seen = look_at_all(
            sources,
            decode=decode,
            processes=processes,
            advance=lambda more: progress.update(bar, advance=more),
        )
    found: dict[File, Seen] = {}
    for one in seen:  # a video may have several segments, of which one is broken
        if one.broken or one.file not in found:
            found[one.file] = one
    return list(found.values())


def look_at_texts(
    found: Findings,
    task: Task,
    split: str,
    examples: Sequence[Example],
    tokenizer: Tokenizer | None,
    *,
    window: int,
    is_learnt: bool,
    most: int,
    lines: bool,
) -> None:
    """Measures what is learnt from examples, or what they ask."""
    is_all = True
    if is_learnt:
        drawn = drawn_targets(task, examples, most=most, seed=0)
        found.broken += [f"{split}: {failed}" for failed in drawn.failed]
        is_all = drawn.is_all
        if tokenizer is None or not drawn.targets:
            return
        lengths = measure_targets(drawn.targets, tokenizer, text_length=window, lines=lines)
    elif tokenizer is None:
        return
    else:
        lengths = measure_prompts(examples, tokenizer, text_length=window, lines=lines)
    room = window + 1 if is_learnt else window
    found.add_lengths(split, lengths, window=room, is_learnt=is_learnt, is_all=is_all)


def show(found: Findings, folder: Path) -> None:
    """Prints what was found, and saves it."""
    for line in found.recognised:
        say(line)
    for title, facts in found.tables.items():
        CONSOLE.print(facts_table(title, facts))
    for kind, lines in (("note", found.notes), ("odd", found.odd), ("broken", found.broken)):
        for line in lines[:SHOWN]:
            say(f"{kind}: {line}")
        if len(lines) > SHOWN:
            say(f"{kind}: and {len(lines) - SHOWN:,} more, all in {folder / REPORT}")
    for page in found.pages:
        say(f"page of labels: {page}")
    text = json.dumps(found.as_json(), indent=1, ensure_ascii=False)
    write_whole(folder / REPORT, [text, "\n"])
    say(f"report: {folder / REPORT}")
    say(f"{len(found.broken):,} broken, {len(found.odd):,} odd")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pg_transfer.check", description=__doc__)
    parser.add_argument(
        "settings", nargs="*", metavar="setting=value",
        help="as for train.py: task=textvqa task.root=/data/textvqa resolution=448 ...",
    )  # fmt: skip
    parser.add_argument(
        "--decode", action="store_true",
        help="read every image to its last pixel, not its header and end alone",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that look at images at once"
    )
    parser.add_argument(
        "--examples", type=int, default=60, help="on each page of labels; 0 writes none"
    )
    parser.add_argument(
        "--sample", type=int, default=2000,
        help="examples whose targets are made to be measured, where making them takes time; "
        "0 makes all",
    )  # fmt: skip
    parser.add_argument(
        "--to", type=Path, default=Path("checks"), help="folder of the report and the pages"
    )
    options = parser.parse_intermixed_args()
    if options.processes < 1 or min(options.examples, options.sample) < 0:
        parser.error("--processes is at least 1, --examples and --sample at least 0")
    sys.path.insert(0, str(ROOT))  # for tasks/, wherever this is started
    check(options)


if __name__ == "__main__":
    main()

"""The end of a run: where everything lies, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pg_transfer.process.console import CONSOLE, facts_table, say
from pg_transfer.project import typed
from pg_transfer.task import Clip, Example
from pg_transfer.training.scoring import Headline
from pg_transfer.training.weights import BEST, LAST


def show_end(
    folder: Path,
    *,
    updates: int,
    reason: str,
    best: Headline,
    best_step: int | None,
    measured: Sequence[tuple[str, str]],
    trackers: Sequence[str],
    example: Example,
    form: str,
) -> None:
    """Prints it.

    Args:
        folder: of the run.
        updates: that were made.
        reason: why there were no more; empty if it was trained to its end.
        best: the best score of a validation.
        best_step: after which update that was.
        measured: what was logged last, by name.
        trackers: what each that follows the run is called, and where it shows it.
        example: of what to ask the model.
        form: what the run is best exported as.
    """
    CONSOLE.print(facts_table("training", measured))
    say(f"done after {updates:,} updates{f', ended early: {reason}' if reason else ''}")
    best_words = f"{best.metric} {best.value:.2f} after update {best_step:,}" if best_step else ""
    say(f"everything is in {folder}")
    for name, what in {
        "report.md": "scores; report.json the same",
        "metrics.csv": "losses, rates, speed, memory, scores",
        "answers": "a file of each evaluation",
        "pictures": "answers drawn",
        "pages": "answers to look through in a browser",
        f"checkpoints/{BEST}": f"the best weights: {best_words}",
        f"checkpoints/{LAST}": "the last state, which is what the report is about",
    }.items():
        if (folder / name).exists():
            say(f"  {name:<29}{what}")
    for tracker in trackers:
        say(tracker)
    run, exported = shlex.quote(str(folder)), shlex.quote(f"{folder}-exported")
    say("next")
    score = " ".join(typed("evaluate"))
    say(f"  {score} run={run}{' checkpoint=best' if best_step != updates else ''}")
    shown, prompt = _stand_ins(example), shlex.quote(example.prefix)
    say(f"  python -m pg_transfer.predict {run} --images {shown} --prompt {prompt}")
    say(f"  python -m pg_transfer.export {run} --to {exported} --format {form}")


def _stand_ins(example: Example) -> str:
    """What to write for the image, or for as many as are shown at once."""
    if isinstance(example.image, Clip):
        return "video.mp4"
    if example.seen == 1:
        return "photo.jpg"
    return f"{' '.join(f'photo{number}.jpg' for number in range(1, example.seen + 1))} --together"

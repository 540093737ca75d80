"""What is printed while a run goes, and at its end."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pg_transfer.data.videos import Video
from pg_transfer.display import progress
from pg_transfer.display.progress import Clock, duration
from pg_transfer.display.samples import LONGEST, shortened
from pg_transfer.display.summary import show_end
from pg_transfer.process.console import CONSOLE
from pg_transfer.running.assemble import Run
from pg_transfer.task import Example, Image
from pg_transfer.training.scoring import Headline


def test_time_left_counts_validations_too() -> None:
    clock = Clock(updates=100, every=25)
    assert clock.left(0) is None
    clock.begun_at = 10  # gone on with: what was done before took time elsewhere
    clock.training, clock.validating, clock.validations = 30.0, 14.0, 2
    # 20 updates in 30 s, 70 to come: 105 s. Validations after 50, 75 and 100, of 7 s each.
    assert clock.left(30) == pytest.approx(105 + 21)
    assert clock.left(100) == 0
    assert (duration(59.6), duration(3723)) == ("1:00", "1:02:03")


@pytest.mark.slow
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_run_shows_loss_score_speed_and_time(
    train: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    monkeypatch.setattr(progress, "REDRAWN_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=120)
    with CONSOLE.capture() as said:
        train(tmp_path, "samples=2", before=lambda run: show_on(run, console))
    shown = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", out.getvalue())
    # After the first of two validations: the loss and the score, both from elsewhere as well.
    line = re.findall(r"loss (\S+), mIoU 0\.00, \S+ images/s, 0:0\d left", shown)
    assert line and 0 < float(line[0]) < 20
    if is_terminal:
        assert re.search(r"training +━+ 4/4 loss", shown) and re.search(
            r"answering val +━+ 0/1", shown
        )
        assert "update 3 of 4" not in shown
    else:
        assert "update 3 of 4: loss" in shown and "━" not in shown

    first, *samples = said.get().split("val after update ")[1].splitlines()
    assert first == "2 of 4: mIoU 0.00, the best so far"
    assert len(samples) == 3 and all(" → " in line for line in samples[:2])
    assert samples[2] == f"  drawn: {tmp_path}/pictures/val-step000002.png"
    assert Path(samples[2].removeprefix("  drawn: ")).exists()
    assert "4 of 4: mIoU 0.00, best 0.00 after update 2" in said.get()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_numbers_are_whole_in_a_narrow_terminal(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width)
    bars = progress.bars_on(console)
    facts = "loss 0.512, accuracy 73.15, 67.1 images/s, 1:02:09 left"
    bars.add_task("training", total=15470, completed=1234, facts=facts)
    bars.add_task("answering validation", total=160, completed=9, facts="")
    console.print(bars.get_renderable())
    words = out.getvalue().split()
    assert {"1234/15470", "9/160", "0.512,", "73.15,", "images/s,", "1:02:09", "left"} <= {*words}
    assert "…" not in out.getvalue()


def show_on(run: Run, console: Console) -> None:
    (bar,) = (one for one in run.trainer.callbacks if isinstance(one, progress.Progress))  # type: ignore[attr-defined]
    bar.console = console


def test_answers_are_cut_to_a_line() -> None:
    assert shortened("two\nlines ") == "two lines"
    assert shortened("a" * 99) == "a" * (LONGEST - 1) + "…"


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (Path("a"), "photo.jpg"),
        ((Path("a"), Path("b")), "photo1.jpg photo2.jpg --together"),
        (Video(Path("a"), 16, 9), "video.mp4"),
    ],
)
def test_the_end_says_where_everything_lies_and_what_is_next(
    image: Image, shown: str, tmp_path: Path
) -> None:
    folder = tmp_path / "a run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("report.md", "checkpoints/best.safetensors"):
        (folder / name).touch()
    with CONSOLE.capture() as said:
        show_end(
            folder, updates=50, reason="no better", best=Headline("CIDEr", 12.345), best_step=25,
            measured=[("loss", "1.5")], trackers=["W&B: https://example.com/run"], form="adapter",
            example=Example("0", image, "what's this?"),
        )  # fmt: skip
    lines = said.get().splitlines()
    assert "done after 50 updates, ended early: no better" in lines
    assert any(re.match(r"  checkpoints/best.safetensors +the best weights: CIDEr 12.35 after update 25$", line) for line in lines)  # fmt: skip  # noqa: E501
    assert not any("metrics.csv" in line for line in lines)  # there is none
    assert "W&B: https://example.com/run" in lines
    at = lines.index("next")
    assert lines[at + 1 :] == [
        f"  python evaluate.py run='{folder}' checkpoint=best",
        f"  python -m pg_transfer.predict '{folder}' --images {shown} "
        f"--prompt 'what'\"'\"'s this?'",
        f"  python -m pg_transfer.export '{folder}' --to '{folder}-exported' --format adapter",
    ]

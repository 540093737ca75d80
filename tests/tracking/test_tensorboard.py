"""Events are read back by TensorBoard's own reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer.running.assemble import Run
from pg_transfer.tracking.tensorboard import _escaped

pytest.importorskip("tensorboard")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_numbers_pictures_and_answers(train: Callable[..., Run], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(tmp_path, "logger=tensorboard", "logger.predictions=3")
    assert run.watchers.trackers[0].where == f"tensorboard --logdir {tmp_path}/tensorboard"
    run.watchers.trackers[0].finish()
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for column in ("loss", "lr_vision", "gradient_norm", "images_per_second", "val/mIoU"):
        written = [(int(row["step"]), float(row[column])) for row in rows if row[column]]
        sent = [(event.step, event.value) for event in events.Scalars(column)]
        assert sent == [(step, pytest.approx(value)) for step, value in written], column

    pictures = events.Images("predictions/val")
    scored = [event.step for event in events.Scalars("val/mIoU")]
    assert [event.step for event in pictures] == scored == [1, 3]  # one place on the axis for both
    with (
        Image.open(io.BytesIO(pictures[-1].encoded_image_string)) as sent,
        Image.open(tmp_path / "pictures" / "val-step000004.png") as drawn,
    ):
        assert (np.asarray(sent) == np.asarray(drawn.convert("RGB"))).all()
    texts = {
        name: events.Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val[0].decode()
        for name in ("predictions/val", "settings")
    }
    header, _, *lines = texts["predictions/val"].splitlines()
    assert header.startswith("| id | prompt | answer | truth |") and len(lines) == 3
    assert "batch_size: 8" in texts["settings"] and "pg_transfer: " in texts["settings"]


def test_tokens_are_no_elements_and_no_borders() -> None:
    assert _escaped("<loc0001> a |\n& b") == "&lt;loc0001> a \\| &amp; b"

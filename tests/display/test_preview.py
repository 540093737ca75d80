"""The first batch shown before training is the first batch of the training."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data import images, resizing
from pg_transfer.display.preview import MEANINGS
from tests.faults.commands import output_of

pytestmark = pytest.mark.filterwarnings("ignore")  # a user may see them, and read on

SIDE = 56

SETTINGS = (
    "model=tiny", f"resolution={SIDE}", "trainer=cpu", "micro_batch=2", "recipe.batch_size=4",
    "recipe.text_length=80", "recipe.epochs=2", "validations=1", "preview=true", "run=seen",
)  # fmt: skip

EVIL = "<script>alert('x')</script> & \"q\""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = []
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(
            {"photo": f"{number}.png", "id": f"no. {number}", "prefix": f"{EVIL}?",
             "suffix": f"it is {number}" + " very" * (30 * (number % 2))}
        )  # fmt: skip
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def train(folder: Path, *words: str) -> str:
    return output_of("train.py", *SETTINGS, *words, folder=folder)


def spans(article: str) -> list[tuple[str, str]]:
    return re.findall(r'<span class="([^"]+)"[^>]*>([^<]*)</span>', article)


@pytest.mark.slow
def test_the_first_batch_is_shown_and_nothing_is_trained(folder: Path) -> None:
    printed = train(
        folder, "task=custom", "data=my.jsonl", "columns={image: photo}",
        "splits.validate=train", "splits.report=[train]",
    )  # fmt: skip
    assert "data: 8 rows of JSON lines" in printed and "page of the first batch" in printed
    assert "7 of 'train', at 56 px" in printed and "what learns" in printed
    assert {path.name for path in (folder / "seen").iterdir()} == {"preview.html"}

    page = (folder / "seen" / "preview.html").read_text()
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    articles = page.split("<article>")[1:]
    assert len(articles) == 2  # a micro-batch
    windows = []
    for article in articles:
        number = int(re.search(r"<h2>no\. (\d)</h2>", article)[1])
        uses = Counter(classes.split()[0] for classes, _ in spans(article))
        with_loss = [text for classes, text in spans(article) if classes.endswith(" loss")]
        is_cut = number % 2 == 1
        # 56 / 14 squared is 16 image tokens; one token of bos, one of the line end.
        assert spans(article)[0] == ("image", "16 image tokens")
        assert (uses["begin"], uses["separator"], uses["end"]) == (1, 1, int(not is_cut))
        # The suffix and its end carry loss, and nothing else does.
        assert len(with_loss) == uses["suffix"] + uses["end"]
        assert f"learns {len(with_loss)} tokens" in article and f"it is {number}" in article
        assert ("no room for the whole suffix" in article) == is_cut
        shown = sum(uses[use] for use in ("begin", "prefix", "separator", "suffix", "end"))
        padding = next((text for use, text in spans(article) if use == "padding"), "0 padding")
        windows.append(shown + int(padding.split()[0]))
        assert uses.keys() <= set(MEANINGS)
        encoded = re.search(r"data:image/png;base64,([^\"]+)", article)[1]
        pixels = np.asarray(Image.open(BytesIO(b64decode(encoded))))
        source = images.open_image(folder / f"{number}.png")
        assert (pixels == resizing.resize(source, SIDE, antialias=True)).all()
    assert windows[0] == windows[1] <= 81  # text_length, and the last target


@pytest.mark.slow
def test_boxes_are_drawn_and_a_folder_with_a_run_is_refused(folder: Path) -> None:
    page = folder / "seen" / "preview.html"
    train(folder, "task=shapes", "resolution=84")
    assert page.read_text().count("orange: what the suffix says") == 2
    (folder / "seen" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(AssertionError, match="seen holds a run already"):
        train(folder, "task=shapes", "resolution=84")

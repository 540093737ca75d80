"""What may be asked, and what is refused before a model is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pg_transfer import predict
from pg_transfer.answering.asked import Request, find_images
from pg_transfer.answering.given_videos import Seen
from pg_transfer.sources.run_settings import CONFIG

ROOT = Path(__file__).parents[2]


def test_a_name_with_brackets_is_no_pattern_where_it_exists(tmp_path: Path) -> None:
    path = tmp_path / "a[1].png"
    Image.new("RGB", (2, 2)).save(path)
    (tmp_path / "sub.png").mkdir()
    assert find_images([str(path)]) == [path]
    assert find_images([f"{tmp_path}/*.png"]) == [path]


def test_the_usual_prompt_is_the_runs(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / CONFIG).write_text("prompt: caption en\ntask: {_target_: nowhere.Task}\n")
    assert predict.usual_prompt(str(tmp_path)) == "caption en"
    assert predict.usual_prompt(str(tmp_path / "checkpoints" / "best.ckpt")) == "caption en"


def test_several_images_may_be_shown_together(tmp_path: Path) -> None:
    left, right = tmp_path / "b.png", tmp_path / "a.png"
    parsed = predict.parser().parse_args
    for images in ([left, right], [left, left, right]):  # the same twice, if that is asked for
        words = ["run", "--images", *map(str, images), "--prompt", "x", "--prompt", "y"]
        asked = predict.read_requests(parsed([*words, "--together"]), Seen())
        assert asked == [Request(tuple(images), "x"), Request(tuple(images), "y")]
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"images": ["b.png", "a.png"], "prompt": "x"}\n')
    asked = predict.read_requests(parsed(["run", "--prompts", str(rows)]), Seen())
    assert asked == [Request((left, right), "x")]
    assert asked[0].named == {"images": [str(left), str(right)]}


# What is refused, before a model is looked for


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "absent.png", "--prompt", "x"], "no image file absent.png"),
        (["--images", "*.gif", "--prompt", "x"], "no file matches *.gif"),
        (["--images", "empty", "--prompt", "x"], "no images in the folder empty"),
        (["--images", "text.png", "--prompt", "x"], "text.png: cannot be read as an image"),
        (["--images", "good.png", "zero.png", "--prompt", "x"], "zero.png: cannot be read as an "
         "image (the file is empty); fetch the file again, or convert it to one of JPEG, PNG, GIF, "
         "BMP, WEBP, TIFF, PPM; or leave it out with --on-error skip"),
        (["--images", "good.png"], 'no-run is no run with a prompt of its own; give --prompt'),
        (["--prompt", "x"], "give --images"),
        (["--images", "good.png", "--prompts", "rows"], "leave out the others"),
        (["--prompts", "absent"], "no file of prompts at absent"),
        (["--prompts", "rows"], "rows, line 2: not a row such as"),
        (["--prompts", "numbers"], "numbers, line 1: `image`, `video` and `prompt` have to be"),
        (["--prompts", "blank"], "blank has no rows"),
        (["--prompts", "both"], "both, line 1: has images and image; say one of them"),
        (["--prompts", "none"], "none, line 1: `image`, `video` and `prompt` have to be strings"),
        (["--prompts", "unlike"], "unlike, line 2: this prompt is about 1 and the first about 2 "
         "images; a model has learnt from one number of them, so ask about others in another"),
        (["--prompts", "rows", "--together"], "--prompts has the images with their prompts; leave"),
        (["--images", "good.png", "--prompt", "x", "--to", "full"], "full holds answers.jsonl"),
        (["--batch", "0"], "--batch: 0 is no whole number above 0"),
        (["--max-tokens", "-1"], "--max-tokens: -1 is no whole number"),
        (["--beams", "1.5"], "--beams: 1.5 is no whole number"),
        (["--images", "good.png", "--prompt", "x", "--mask-codec", "no.npz"], "no mask codec at"),
        (["--images", "good.png", "--prompt", "x", "--device", "cuda:99"], "device=cuda:99: this"),
        (["--images", "good.png", "--prompt", "x", "--device", "tpo"], "device=tpo is none of"),
        (["--images", "good.png", "--prompt", "x"], "no-run"),
    ],
)  # fmt: skip
def test_what_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (2, 2)).save("good.png")
    for folder in ("empty", "full"):
        Path(folder).mkdir()
    for name, text in {
        "text.png": "no image", "zero.png": "", "full/answers.jsonl": "",
        "blank": "\n",
        "rows": '{"image": "good.png", "prompt": "x"}\n{"image": "good.png"}\n',
        "numbers": '{"image": "good.png", "prompt": 1}',
        "both": '{"image": "good.png", "images": ["good.png"], "prompt": "x"}',
        "none": '{"images": [], "prompt": "x"}',
        "unlike": '{"images": ["good.png", "good.png"], "prompt": "x"}\n'
                  '{"image": "good.png", "prompt": "x"}',
    }.items():  # fmt: skip
        Path(name).write_text(text)
    with pytest.raises(SystemExit) as end:
        predict.main(["no-run", *arguments])
    assert end.value.code == (2 if "whole number" in message else 1)
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not Path("predictions").exists()


def test_a_run_that_asks_each_image_something_else_needs_a_prompt(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("prompt: answer en {question}\n")
    with pytest.raises(ValueError, match=r"its prompts are \"answer en \{question\}\""):
        predict.usual_prompt(str(tmp_path))
    (tmp_path / CONFIG).write_text("seed: 0\n")
    with pytest.raises(ValueError, match="asks each image something else; give --prompt"):
        predict.usual_prompt(str(tmp_path))

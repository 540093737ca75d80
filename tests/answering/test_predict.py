"""From the command line to the file of answers; and the same answers as the run's evaluation."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from PIL import Image

import pg_transfer
from pg_transfer import predict
from pg_transfer.answering.answers_file import ANSWERS, UNFINISHED, AnswersFile
from pg_transfer.answering.asked import find_images
from pg_transfer.answering.given_videos import Seen
from pg_transfer.running.assemble import assemble
from pg_transfer.running.settings import register_resolvers
from pg_transfer.sources.run_settings import CONFIG
from tasks.shapes import Shapes
from tests import data_sets
from tests.answering.answers import rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run, evaluated on `val`."""
    folder = tmp_path_factory.mktemp("runs") / "shapes-84"
    register_resolvers()
    overrides = [
        f"run={folder}", "splits.train=val", "recipe.epochs=1", "recipe.batch_size=8",
        "micro_batch=8", "splits.report=[val]", "validations=1", "score_before=false", "page=0",
        "pictured=0", "trainer=cpu",
    ]  # fmt: skip
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        config = compose("train", overrides=overrides)
    settings = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(settings, DictConfig)
    made = assemble(settings, folder)
    made.trainer.fit(made.module, made.data)
    OmegaConf.save(settings, folder / CONFIG)
    return folder


@pytest.fixture(scope="module")
def examples(run: Path):
    from pg_transfer.segmentation.codec import load_codec

    return Shapes(load_codec("builtin")).examples("val")


@pytest.fixture(scope="module")
def photos(examples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images of `val`, 000.png to 127.png, and their prompts as rows."""
    folder = tmp_path_factory.mktemp("photos")
    with (folder / "rows.jsonl").open("w") as file:
        for number, example in enumerate(examples):
            Image.fromarray(example.image()).save(folder / f"{number:03d}.png")
            row = {"image": f"{number:03d}.png", "prompt": example.prefix}
            file.write(json.dumps(row) + "\n")
    return folder


@pytest.mark.slow
def test_answers_are_those_of_the_evaluation(run: Path, photos: Path, tmp_path: Path) -> None:
    (evaluated,) = (run / "answers").glob("val-step??????.jsonl")
    expected = [row["answer"] for row in rows(evaluated)]
    assert len(expected) == 128 and len(set(expected)) > 1
    to = tmp_path / "answers"
    predict.main([str(run), "--prompts", str(photos / "rows.jsonl"), "--to", str(to),
                  "--batch", "48", "--no-pictures", "--device", "cpu"])  # fmt: skip
    assert [row["answer"] for row in rows(to / ANSWERS)] == expected


def test_the_three_lines_of_the_readme(
    run: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(import pg_transfer\n.*?)```", readme, flags=re.DOTALL)
    assert len(list(filter(None, lines.splitlines()))) == 3
    monkeypatch.chdir(photos)
    lines = re.sub(r'load\("[^"]*"\)', f'load("{run.as_posix()}")', lines)
    exec(re.sub(r'answer\("[^"]*"', 'answer("000.png"', lines), {})
    (evaluated,) = (run / "answers").glob("val-step??????.jsonl")
    assert capsys.readouterr().out != ""
    assert (
        pg_transfer.load(run).answer("000.png", rows(photos / "rows.jsonl")[0]["prompt"])
        == (rows(evaluated)[0]["answer"])
    )


def test_the_lines_of_the_documentation(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    asking, reading = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        with Image.open(photos / "000.png") as picture:
            picture.save(name)
    exec(re.sub(r'load\("[^"]*"', f'load("{run.as_posix()}"', asking), {})
    assert Path("drawn.png").is_file()
    said = re.search(r"# (\[Found.*\])", reading)
    names: dict = {}
    exec(reading.replace("locate(instances", "found = locate(instances"), names)
    assert said is not None and str(names["found"]) == said[1]


def test_the_package_alone_is_cheap_and_knows_no_other_names() -> None:
    code = (
        "import sys, pg_transfer; assert not hasattr(pg_transfer, 'lode');"
        "assert not {'torch', 'numpy', 'PIL', 'hydra'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})


def test_a_run_is_asked_as_it_was_evaluated(run: Path) -> None:
    model = pg_transfer.load(run, checkpoint="best", device="cpu")
    manner = model.manner
    assert (manner.text_length, manner.max_tokens, manner.antialias) == (28, 28, False)
    assert model.codec is not None
    chosen = predict.chosen_manner(manner, options("x", "--beams", "3", "--max-tokens", "5"))
    assert (chosen.decoding.beams, chosen.max_tokens, chosen.text_length) == (3, 5, 28)
    assert predict.chosen_manner(manner, options("x", "--antialias")).antialias is True


def options(*arguments: str):
    return predict.parser().parse_args(arguments)


# What is asked


def test_every_prompt_of_every_image_in_order(photos: Path) -> None:
    places = [str(photos / "007.png"), f"{photos}/00[01].png"]
    asked = predict.read_requests(
        options("run", "--images", *places, "--prompt", "cat", "--prompt", "dog"), Seen()
    )
    names = [(*(path.name for path in request.images), request.prompt) for request in asked]
    assert names == [
        ("007.png", "cat"), ("007.png", "dog"), ("000.png", "cat"), ("000.png", "dog"),
        ("001.png", "cat"), ("001.png", "dog"),
    ]  # fmt: skip


def test_a_folder_has_its_images_by_name_and_none_comes_twice(photos: Path) -> None:
    found = find_images([str(photos), str(photos / "003.png")])
    assert [path.name for path in found] == [f"{number:03d}.png" for number in range(128)]


# What cannot be read, and going on


def test_a_file_cut_short_is_named_and_the_answers_before_it_stay(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes((photos / "001.png").read_bytes()[:200])  # its header is whole
    to = tmp_path / "to"
    with pytest.raises(SystemExit):
        predict.main([str(run), "--images", str(photos / "000.png"), str(cut), "--prompt", "x",
                      "--batch", "1", "--to", str(to)])  # fmt: skip
    assert "cut.png: cannot be read as an image" in capsys.readouterr().err
    assert len(rows(to / "answers.jsonl.part")) == 1


def ask(run: Path, to: Path, images: list[Path], *more: str, prompt: str = "x") -> None:
    predict.main([str(run), "--images", *map(str, images), "--prompt", prompt, "--batch", "2",
                  "--device", "cpu", "--to", str(to), *more])  # fmt: skip


@pytest.fixture
def broken(photos: Path, tmp_path: Path) -> list[Path]:
    """Five images; the first is cut short, the third none, the others whole."""
    images = [photos / f"{number:03d}.png" for number in range(5)]
    for number, length in ((0, 200), (2, 3)):
        path = tmp_path / images[number].name
        path.write_bytes(images[number].read_bytes()[:length])
        images[number] = path
    return images


def test_what_is_hidden_in_a_folder_is_not_asked_about(tmp_path: Path) -> None:
    data_sets.write_image(tmp_path / "a.jpg")
    (tmp_path / "._a.jpg").write_bytes(b"the Finder's")
    assert find_images([str(tmp_path)]) == [tmp_path / "a.jpg"]
    assert find_images([str(tmp_path / "._a.jpg")]) == [tmp_path / "._a.jpg"]  # if it is asked for


def test_what_cannot_be_read_is_left_out_and_told(
    run: Path, broken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ask(run, tmp_path / "to", broken, "--on-error", "skip")
    kept = [str(broken[number]) for number in (1, 3, 4)]
    assert [row["image"] for row in rows(tmp_path / "to" / ANSWERS)] == kept
    listed = json.loads((tmp_path / "to" / "left_out.json").read_text())
    assert list(listed) == [str(broken[2]), str(broken[0])]
    assert "cannot be read as an image" in listed[str(broken[0])]["reason"]
    said = capsys.readouterr().out
    assert said.count("left out: /") == 2 and "were left out: 2 (" in said
    with pytest.raises(SystemExit) as end:
        ask(run, tmp_path / "none", [broken[0], broken[2]], "--on-error", "skip")
    assert end.value.code == 1
    assert "2 images cannot be read, and without them there is nothing" in capsys.readouterr().err


def test_a_call_that_was_cut_short_is_gone_on_with(
    run: Path, broken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ask(run, tmp_path / "whole", broken, "--on-error", "skip")
    expected = (tmp_path / "whole" / ANSWERS).read_bytes()
    to = tmp_path / "to"
    add = AnswersFile.add

    def until_stopped(self: AnswersFile, row: dict) -> None:
        add(self, row)
        if len(rows(to / UNFINISHED)) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(AnswersFile, "add", until_stopped)
        with pytest.raises(SystemExit) as end:
            ask(run, to, broken, "--on-error", "skip")
    assert end.value.code == 143
    out = capsys.readouterr().out
    assert f"to go on: python -m pg_transfer.predict {run} --images" in out
    with (to / UNFINISHED).open("ab") as file:  # what a kill leaves of a row
        file.write(b'{"image": "half of')
    asked: list[dict] = []
    monkeypatch.setattr(AnswersFile, "add", lambda self, row: asked.append(row) or add(self, row))
    ask(run, to, broken, "--on-error", "skip")
    assert (to / ANSWERS).read_bytes() == expected and len(asked) == 1
    assert "going on behind 2 answers" in capsys.readouterr().out
    assert len(json.loads((to / "left_out.json").read_text())) == 2


def test_answers_to_something_else_are_not_gone_on_with(
    run: Path, broken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    to, images = tmp_path / "to", [broken[1], broken[3], broken[0]]
    with pytest.raises(SystemExit):
        ask(run, to, images)
    left = (to / UNFINISHED).read_bytes()
    said = capsys.readouterr()
    assert "to go on behind 2 answers: python -m pg_transfer.predict" in said.out
    for more, prompt, told in (
        ((), "y", "(requests: 3 ("), (("--max-tokens", "3"), "x", "(max_tokens: 28 there, 3 now)"),
        (("--no-pictures",), "x", "(pictures: True there, False now)"),
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            ask(run, to, images, *more, prompt=prompt)
        error = capsys.readouterr().err
        assert "holds 2 answer(s) of a call that was cut short" in error and told in error
    assert (to / UNFINISHED).read_bytes() == left
    (to / "made_by.json").unlink()
    with pytest.raises(SystemExit):
        ask(run, to, images)
    assert "weights: None there" in capsys.readouterr().err


def test_two_calls_in_a_second_have_a_folder_each(tmp_path: Path) -> None:
    folder = tmp_path / "2026-11-23_12-00-00"
    for name in (folder.name, f"{folder.name}-2", f"{folder.name}-3"):
        found = predict.untaken(folder)
        assert found.name == name
        found.mkdir()


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with (
        AnswersFile(tmp_path, {"by": "hand"}),
        pytest.raises(ValueError, match="another process is writing answers"),
        AnswersFile(tmp_path, {"by": "hand"}),
    ):
        pass

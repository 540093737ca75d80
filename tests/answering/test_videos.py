"""A model of videos is asked about videos, and sees of them what its evaluation shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from pg_transfer import predict
from pg_transfer.answering.asked import Request
from pg_transfer.answering.given_images import GivenImages
from pg_transfer.answering.given_videos import Seen
from pg_transfer.answering.manner import Manner
from pg_transfer.answering.model import AnsweringModel
from pg_transfer.data.videos import Video
from pg_transfer.sources.loading import Loaded
from pg_transfer.task import Example
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.batches import Item, collate
from pg_transfer.training.reader import Antialias, Reader
from tests.answering.test_model import SIDE, random_model
from tests.data_sets.videos import numbers, write_video
from tests.training.test_videos import Clips

MANNER = Manner(text_length=8, max_tokens=6, antialias=False, frames=3, stride=2)


@pytest.fixture(scope="module")
def model() -> AnsweringModel:
    return AnsweringModel(Loaded(random_model(), load_tokenizer("builtin"), SIDE), manner=MANNER)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "a.mp4", frames=20, size=(48, 40))


def test_the_answer_is_that_of_an_evaluation(model: AnsweringModel, video: Path) -> None:
    # The evaluation's own reader, and the model beneath.
    reader = Reader(
        task=Clips(video, count=3, stride=2), tokenizer=model.loaded.tokenizer, resolution=SIDE,
        text_length=8, antialias=Antialias(train=False, evaluate=False),
    )  # fmt: skip
    example = Example("0", Video(video, 3, 2), "what?", ())
    pixels, layout = reader.prompt(example)
    batch = collate([Item(0, pixels, layout)]).to(torch.device("cpu"))
    with torch.inference_mode():
        tokens = MANNER.decoding(
            model.loaded.model, batch.images, batch.tokens, lengths=batch.lengths,
            max_new_tokens=6, end=1,
        )  # fmt: skip
    expected = model.loaded.tokenizer.decode(tokens[0].tolist())
    assert model.answer(video, "what?") == model.answer(str(video), "what?") == expected
    assert model.answer([video, video], ["what?", "cat"])[0] == expected
    reply = model.reply(video, "what?")
    assert reply.pixels.dtype == np.uint8 and reply.pixels.shape == (40, 48, 3)  # the first frame
    # Other frames are another question.
    spread = replace(MANNER, stride=None)
    (other,) = model.replies([(video, "what?")], manner=spread)
    assert other.text != expected


def test_of_a_short_video_frames_come_again(tmp_path: Path) -> None:
    short = write_video(tmp_path / "a.mp4", frames=3)
    assert numbers(Seen(4, 2).read(short)) == [0, 2, 0, 2]


def test_a_model_of_images_is_not_asked_about_videos(model: AnsweringModel, video: Path) -> None:
    images = AnsweringModel(model.loaded, manner=replace(MANNER, frames=None, stride=None))
    with pytest.raises(ValueError, match=r"a\.mp4 is a video, and the model is not known to have"):
        images.answer(video, "what?")


def test_rows_name_videos(video: Path) -> None:
    rows = video.with_name("rows.jsonl")
    rows.write_text(json.dumps({"video": "a.mp4", "prompt": "what?"}))
    parsed = predict.parser().parse_args
    (asked,) = predict.read_requests(parsed(["run", "--prompts", str(rows)]), Seen())
    assert asked == Request((video,), "what?") and asked.named == {"video": str(video)}
    rows.write_text(json.dumps({"video": "a.mp4", "image": "a.png", "prompt": "what?"}))
    with pytest.raises(ValueError, match="line 1: has video and image; say one of them"):
        predict.read_requests(parsed(["run", "--prompts", str(rows)]), Seen())
    # Elsewhere than on the command line, too: an image beside it would not be seen.
    rows.write_text(json.dumps({"images": ["a.mp4", "b.png"], "prompt": "what?"}))
    with pytest.raises(ValueError, match="a video is its frames together already"):
        predict.read_requests(parsed(["run", "--prompts", str(rows)]), Seen())
    words = ["run", "--images", str(video), str(video), "--together", "--prompt", "what?"]
    with pytest.raises(ValueError, match="a video is its frames together already"):
        predict.read_requests(parsed(words), Seen())


def test_a_model_of_videos_is_not_asked_about_an_image(video: Path, model: AnsweringModel) -> None:
    told = "a prompt about an image, and the model has learnt from videos, of which it sees 3"
    with pytest.raises(ValueError, match=told):
        model.answer(np.zeros((9, 9, 3), np.uint8), "what?")
    image = video.with_name("b.png")
    Image.new("RGB", (2, 2)).save(image)
    with pytest.raises(ValueError, match=f"b.png: {told}"):
        GivenImages(skips=False, tell=print, seen=MANNER.seen).check([Request((image,), "what?")])


def test_what_options_say_of_frames_goes_first(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("task: {_target_: nowhere.Task, frames: 8, stride: 26}\n")
    parsed = predict.parser().parse_args
    assert predict.chosen_frames(parsed([str(tmp_path)])) == (8, 26, None)
    assert predict.chosen_frames(parsed([str(tmp_path), "--frames", "4"])) == (4, 26, None)
    assert predict.chosen_frames(parsed(["google/paligemma", "--frames", "4"])) == (4, None, None)


def test_a_video_that_cannot_be_read_is_left_out_if_that_is_asked_for(video: Path) -> None:
    cut = video.with_name("cut.mp4")
    cut.write_bytes(video.read_bytes()[:700])
    requests = [Request((path,), "what?") for path in (cut, video)]
    told: list[str] = []
    given = GivenImages(skips=True, tell=told.append, seen=Seen(2, 3))
    given.check(requests)
    ((request, frames),) = given.opened(requests)
    assert request.images == (video,) and numbers(frames) == [0, 3]  # type: ignore[arg-type]
    assert len(told) == 1 and "cut.mp4: cannot be read as a video" in told[0]
    with pytest.raises(ValueError, match=r"cut\.mp4: cannot be read as a video .* --on-error skip"):
        GivenImages(skips=False, tell=told.append, seen=Seen(2, 3)).check(requests)


def test_of_a_mixture_it_is_what_its_tasks_agree_about() -> None:
    def learnt(*tasks: dict[str, int]) -> Seen:
        components = {str(number): {"task": task} for number, task in enumerate(tasks)}
        return Seen.of_run(OmegaConf.create({"task": {"components": components}}))

    assert learnt({"frames": 16, "stride": 9}, {"frames": 16, "stride": 9}) == (16, 9, None)
    assert learnt({"frames": 16, "stride": 9}, {"frames": 16, "stride": 70}) == (None, None, None)
    assert learnt({}, {}) == (None, None, None)


def test_of_a_folder_a_model_of_videos_is_asked_about_the_videos(video: Path) -> None:
    Image.new("RGB", (2, 2)).save(video.with_name("b.png"))
    words = ["nowhere", "--images", str(video.parent), "--prompt", "what?"]
    for more, shown in ([], "b.png"), (["--frames", "4"], "a.mp4"):
        options = predict.parser().parse_args([*words, *more])
        requests = predict.read_requests(options, predict.chosen_frames(options))
        assert [request.images for request in requests] == [(video.with_name(shown),)]
    video.unlink()
    with pytest.raises(FileNotFoundError, match=r"no videos in the folder .* \.mp4, \.webm"):
        predict.read_requests(options, predict.chosen_frames(options))

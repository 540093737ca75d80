"""Videos of flat greys that tell the number of each frame, captioned and asked about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from tests.data_sets.writing import write_json

STEP = 6
"""Grey levels from one frame to the next."""

H264 = {"qp": "1", "sc_threshold": "0", "bf": "2", "b_strategy": "0"}
"""Hardly any loss, key frames where they are asked for, and frames stored behind later ones."""

SPLITS = ("train", "val", "test")


def write_video(
    path: Path,
    *,
    frames: int = 12,
    rate: int = 10,
    codec: str = "libx264",
    size: tuple[int, int] = (32, 24),
    group: int = 5,
) -> Path:
    """A video whose frames `numbers` tells apart, with a key frame every `group` of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        stream.codec_context.gop_size = group
        stream.options = H264 if codec == "libx264" else {}
        stream.bit_rate = 10**7
        for number in range(frames):
            pixels = np.full((size[1], size[0], 3), STEP * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def numbers(frames: Iterable[np.ndarray]) -> list[int]:
    """Which frames of such a video these are."""
    return [round(float(frame.mean()) / STEP) for frame in frames]


def msrvtt(root: Path) -> Path:
    """MSR-VTT and MSRVTT-QA, with two videos in each split, and two captions and questions each."""
    videos, sentences = [], []
    for number in range(6):
        name, split = f"video{number}", ("train", "validate", "test")[number // 2]
        write_video(root / "videos" / f"{name}.mp4", frames=12 + number)
        videos.append(
            {"category": 9, "url": "https://www.youtube.com/watch?v=9lZi22qLlEo", "video_id": name,
             "start time": 137.72, "end time": 149.44, "split": split, "id": number}
        )  # fmt: skip
        for text in ("a car is shown", f"car number {number} drives"):
            sentences.append({"caption": text, "video_id": name, "sen_id": len(sentences)})
    for file, chosen in (("train_val", videos[:4]), ("test", videos[4:])):
        names = {video["video_id"] for video in chosen}
        content = {
            "info": {"contributor": "MSRA MSM Group", "year": "2016", "version": "1.0"},
            "videos": chosen,
            "sentences": [one for one in reversed(sentences) if one["video_id"] in names],
        }
        write_json(root / f"{file}_videodatainfo.json", content)
    _questions_of_xu(root, {"category_id": 9})
    return root


def msvd(root: Path) -> Path:
    """MSVD-QA, likewise; clips are called after the videos that they are cut from."""
    lines = []
    for number in range(6):
        clip = f"-4wsuPCjDBc_{number}_{number + 5}"
        write_video(root / "YouTubeClips" / f"{clip}.avi", codec="mpeg4", frames=12 + number)
        lines.append(f"{clip} vid{number}\n")
    (root / "youtube_mapping.txt").write_text("".join(lines))
    _questions_of_xu(root, {})
    return root


def _questions_of_xu(root: Path, more: dict[str, int]) -> None:
    for part, split in enumerate(SPLITS):
        rows = [
            {"answer": ("car", "man")[place % 2], **more, "id": 100 * part + place,
             "question": f"what is thing {place}?", "video_id": 2 * part + place // 2}
            for place in range(4)
        ]  # fmt: skip
        write_json(root / f"{split}_qa.json", rows)


def vatex(root: Path) -> Path:
    """VATEX with two videos in each split, of two captions in each language."""
    files = ("training_v1.0", "validation_v1.0", "public_test_english_v1.1")
    for part, file in enumerate(files):
        rows = []
        for place in range(2):
            name = f"Ptf_2VRj-V{part}_00012{place}_00013{place}"
            path = root / "videos" / f"{name}.webm"
            write_video(path, codec="libvpx-vp9", frames=12 + 2 * part + place)
            texts = ["A person surfs.", f"Person {place} rides a wave in the sea."]
            chinese = {} if "english" in file else {"chCap": ["有人在冲浪", "一个人"]}
            rows.append({"videoID": name, "enCap": texts, **chinese})
        write_json(root / f"vatex_{file}.json", rows)
    return root


def activitynet(root: Path) -> Path:
    """ActivityNet Captions and ActivityNet-QA.

    With two videos for each split, but that both are validation's in val_1.json and val_2.json.
    """
    names = [f"QOlSCBRmfW{place}" for place in "ABCDEF"]
    for number, name in enumerate(names):
        write_video(root / "videos" / f"v_{name}.mp4", frames=20 + number)
    for file, first in (("train", 0), ("val_1", 2), ("val_2", 2)):
        content = {
            f"v_{name}": {
                "duration": 2.0,
                "timestamps": [[0, 0.8], [0.5, 1.35 if file == "val_2" else 1.25]],
                "sentences": [f"A woman dances ({file}).", " She bows and leaves."],
            }
            for name in names[first : first + 2]
        }
        write_json(root / f"{file}.json", content)
    for part, split in enumerate(SPLITS):
        questions, answers = [], []
        for place, name in enumerate(names[2 * part : 2 * part + 2]):
            for kind, answer in ((3, "yes"), (7, "2")):
                key = f"v_{name}_{kind}"
                text = f"are there {place} people in the video"
                questions.append({"video_name": name, "question": text, "question_id": key})
                answers.append({"answer": answer, "type": kind, "question_id": key})
        write_json(root / f"{split}_q.json", questions)
        write_json(root / f"{split}_a.json", answers)
    return root

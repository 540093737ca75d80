"""Files of videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests import data_sets
from tests.faults.broken_runs import trained
from tests.faults.fault import Fault
from tests.faults.making import Make, also, file, nothing

ON_MSVD = ("task=msvd_qa", "resolution=224", "final_split=false")
ON_ACTIVITYNET = ("task=activitynet_cap", "resolution=224", "final_split=false")
CLIP = "YouTubeClips/-4wsuPCjDBc_0_5.avi"
VIDEO = "videos/v_QOlSCBRmfWA.mp4"
FETCH = (
    "train_qa.json, val_qa.json, test_qa.json of MSVD-QA, and youtube_mapping.txt, which says "
    "which clip is vid1, are at https://github.com/xudejing/video-question-answering; put the "
    "clips (https://www.cs.utexas.edu/~ml/clamp/videoDescription/) into a folder videos there. "
    "Videos that cannot be had any more are left out with task.missing=leave_out, and counted "
    "in the report."
)


def msvd(change: Callable[[Path], object]) -> Make:
    """MSVD-QA with another first clip."""
    return lambda folder: change(data_sets.msvd(folder / "data/msvd") / CLIP)


def activitynet(change: Callable[[Path], object]) -> Make:
    """ActivityNet with another first video."""
    return lambda folder: change(data_sets.activitynet(folder / "data/activitynet") / VIDEO)


VIDEOS = [
    Fault(
        "a video that has vanished",
        msvd(Path.unlink),
        ON_MSVD,
        "1 of the 2 videos of 'train' are not in data/msvd/YouTubeClips or data/msvd, such as "
        f"vid0.\n{FETCH}",
    ),
    Fault(
        "all videos elsewhere, and none of them an error",
        msvd(lambda path: path.parent.rename(path.parent.with_name("elsewhere"))),
        (*ON_MSVD, "task.missing=leave_out"),
        "2 of the 2 videos of 'train' are not in data/msvd, such as vid0, vid1.\n" + FETCH,
    ),
    Fault(
        "a video of no bytes",
        msvd(lambda path: path.write_bytes(b"")),
        ON_MSVD,
        "example 'vid0#…': data/msvd/YouTubeClips/-4wsuPCjDBc_0_5.avi: cannot be read as a video "
        "(the file is empty); fetch the file again",
    ),
    Fault(
        "a page of HTML in place of a video",
        msvd(lambda path: path.write_bytes(b"<html>404 Not Found</html>")),
        ON_MSVD,
        "example 'vid0#…': data/msvd/YouTubeClips/-4wsuPCjDBc_0_5.avi: cannot be read as a video "
        "(…); fetch the file again",
    ),
    Fault(
        "a video that is shorter than its annotations say",
        activitynet(lambda path: data_sets.write_video(path, frames=4)),
        ON_ACTIVITYNET,
        "example 'v_QOlSCBRmfWA[0.5-1.25]': data/activitynet/videos/v_QOlSCBRmfWA.mp4: the segment "
        "from 0.5 to 1.25 s is behind its last frame, at 0.30 s",
    ),
    Fault(
        "prepared images of videos",
        msvd(lambda path: path),
        (*ON_MSVD, "image_cache=prepared"),
        "image_cache keeps images, and example 'vid0#0' is about a video: other frames of it are "
        "seen each time; set image_cache=null",
    ),
    Fault(
        "videos of your own, and no word on their frames",
        file("my.jsonl", b'{"video": "a.mp4", "prefix": "what is done?", "suffix": "a jump"}\n'),
        ("task=custom", "data=my.jsonl"),
        "`video` are videos: say how many frames of each the model sees, such as frames=8. They "
        "are spread over the video, or stride=... frames of it apart; each is to the model what an "
        "image is, with as many tokens",
    ),
    Fault(
        "a video, and a model of images",
        also(trained(nothing), lambda folder: data_sets.write_video(folder / "a.mp4")),
        ("run", "--images", "a.mp4", "--prompt", "what is done?"),
        "a.mp4 is a video, and the model is not known to have learnt from videos: say how many "
        "frames it is to see, --frames 16 of predict",
        program="-m pg_transfer.predict",
    ),
]

"""Questions about videos: MSRVTT-QA, MSVD-QA (Xu et al. 2017), ActivityNet-QA (Yu et al. 2019).

Each has one answer, mostly a word, which counts if it is the same to the letter. Sources:
big_vision configs/proj/paligemma/transfers/{msrvtt_qa,msvd_qa,activitynet_qa}.py and
evaluators/proj/paligemma/transfers/vqa.py; files as in
https://github.com/xudejing/video-question-answering and https://github.com/MILVLG/activitynet-qa.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import Question, read_questions, text_of, texts_and_suffixes
from pg_transfer.data.release import fault, field, refuse_repeated
from pg_transfer.data.video_tasks import Stretch, VideoTask
from pg_transfer.metrics.matching import score_exact
from pg_transfer.task import Answer, Example, Scores

PREFIX = "answer en {question}"
FOLDERS = ("", "annotations", "dataset", "data")

KINDS = (
    "motion", "spatial relationship", "temporal relationship", "yes/no", "colour", "object",
    "location", "number", "other",
)  # fmt: skip
"""ActivityNet-QA's types of questions and answers, by their numbers."""


class VideoQuestions(VideoTask):
    """One example per question."""

    annotation_folders = FOLDERS

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many answers equal the truth, to the letter."""
        return score_exact(*texts_and_suffixes(answers))


class QuestionsOfXu(VideoQuestions):
    """Those that Xu et al. made of captions; videos are numbered.

    Attributes:
        called: what stands before a video's number in its name.
    """

    called: ClassVar[str]

    def questions_of_all(self, split: str) -> Iterator[Question]:
        """Those of `split`, in the order of the file."""
        path = self.annotations(f"{split}_qa.json")
        return read_questions(path, each_record(path), self._question, id_field="id")

    def _question(self, record: Mapping[str, Any]) -> Question:
        video = f"{self.called}{field(record, 'video_id', int)}"
        return Question(
            id=f"{video}#{field(record, 'id', int)}",
            image=Stretch(video),
            prefix=PREFIX.format(question=text_of(record, "question")),
            suffixes=(text_of(record, "answer"),),
        )


class MSRVTTQuestions(QuestionsOfXu):
    """Questions about the videos of MSR-VTT, made of its captions."""

    title = "MSRVTT-QA"
    called = "video"
    annotation_folders = (*FOLDERS, "MSRVTT-QA")
    sizes: ClassVar = {"train": 114_080, "val": 7_936, "train+val": 122_016, "test": 51_680}
    published = (16, 9)
    folders = ("videos", "videos/all", "TrainValVideo", "TestVideo", "video", "")
    fetch = (
        "train_qa.json, val_qa.json and test_qa.json of MSRVTT-QA are at "
        "https://github.com/xudejing/video-question-answering; put the videos of MSR-VTT into a "
        "folder videos there."
    )


class MSVDQuestions(QuestionsOfXu):
    """Questions about the short clips of MSVD, made of its captions."""

    title = "MSVD-QA"
    called = "vid"
    annotation_folders = (*FOLDERS, "MSVD-QA")
    sizes: ClassVar = {"train": 24_670, "val": 5_107, "train+val": 29_777, "test": 10_136}
    published = (8, 26)
    folders = ("videos", "YouTubeClips", "video", "")
    fetch = (
        "train_qa.json, val_qa.json, test_qa.json of MSVD-QA, and youtube_mapping.txt, which says "
        "which clip is vid1, are at https://github.com/xudejing/video-question-answering; put the "
        "clips (https://www.cs.utexas.edu/~ml/clamp/videoDescription/) into a folder videos there."
    )

    def spellings(self, name: str) -> Sequence[str]:
        """The number, or the clip that has it."""
        return (name, self._clips[name]) if name in self._clips else (name,)

    @cached_property
    def _clips(self) -> dict[str, str]:
        """The clip of each number; none where there is no list, as the files may be numbered."""
        try:
            path = self.annotations("youtube_mapping.txt", folders=self.folders)
        except FileNotFoundError:
            return {}
        try:
            pairs = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        except UnicodeDecodeError as error:
            raise fault(path, "the whole file", f"no text ({error})") from error
        for line, pair in enumerate(pairs, 1):
            if len(pair) != 2:
                raise fault(path, f"line {line}", "not a clip and its number")
        refuse_repeated(path, "number", [number for _, number in pairs])
        return {number: clip for clip, number in pairs}


class ActivityNetQuestions(VideoQuestions):
    """Questions that people asked about the minutes-long videos of ActivityNet."""

    title = "ActivityNet-QA"
    sizes: ClassVar = {"train": 27_610, "val": 15_760, "train+val": 43_370, "test": 6_900}
    published = (16, 70)
    folders = ("videos", "", "train", "val", "train_val", "test")
    fetch = (
        "train_q.json, train_a.json and so on are at https://github.com/MILVLG/activitynet-qa, in "
        "dataset; put the videos (http://activity-net.org/download.html) into a folder videos "
        "there."
    )

    def kind(self, example: Example) -> str:
        """What is asked for."""
        return example.reference

    def spellings(self, name: str) -> Sequence[str]:
        """The name, with or without what ActivityNet puts before those of YouTube."""
        return f"v_{name}", name

    def questions_of_all(self, split: str) -> Iterator[Question]:
        """Those of `split`, in the order of the file of questions."""
        path = self.annotations(f"{split}_a.json")
        answers = {str(record.get("question_id")): record for record in each_record(path)}

        def question(record: Mapping[str, Any]) -> Question:
            name = field(record, "question_id", str)
            if name not in answers:
                raise ValueError(f"{path.name} has no answer to it")
            kind = field(answers[name], "type", int)
            if not 0 <= kind < len(KINDS):
                raise ValueError(f"its type is {kind}, and there are 0 to {len(KINDS) - 1}")
            return Question(
                id=name,
                image=Stretch(field(record, "video_name", str)),
                prefix=PREFIX.format(question=text_of(record, "question")),
                suffixes=(text_of(answers[name], "answer"),),
                reference=KINDS[kind],
            )

        asked = self.annotations(f"{split}_q.json")
        return read_questions(asked, each_record(asked), question, id_field="question_id")

"""Small whole data sets in the published formats, for tests that then break them."""

from tests.data_sets.captions import coco, coco35l, scicap, screens, textcaps
from tests.data_sets.choices import ai2d, nlvr2, science_qa
from tests.data_sets.coco_questions import aokvqa, vqav2
from tests.data_sets.questions import gqa, rsvqa_hr, rsvqa_lr, tallyqa, vizwizvqa
from tests.data_sets.regions import refcoco, yolo
from tests.data_sets.videos import activitynet, msrvtt, msvd, vatex, write_video
from tests.data_sets.writing import write_image, write_json
from tests.data_sets.written import chartqa, infovqa, ocrvqa, stvqa, textvqa

__all__ = [
    "activitynet",
    "ai2d",
    "aokvqa",
    "chartqa",
    "coco",
    "coco35l",
    "gqa",
    "infovqa",
    "msrvtt",
    "msvd",
    "nlvr2",
    "ocrvqa",
    "refcoco",
    "rsvqa_hr",
    "rsvqa_lr",
    "scicap",
    "science_qa",
    "screens",
    "stvqa",
    "tallyqa",
    "textcaps",
    "textvqa",
    "vatex",
    "vizwizvqa",
    "vqav2",
    "write_image",
    "write_json",
    "write_video",
    "yolo",
]

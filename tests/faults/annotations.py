"""Files that say what is in the images."""

from __future__ import annotations

from tests import data_sets
from tests.faults.fault import Fault
from tests.faults.making import (
    ON_TEXTVQA,
    TEXTVQA,
    caption,
    cut_short,
    folder_in_place_of,
    nothing,
    published,
    record,
    refcoco,
    refs,
    rotations,
    rsvqa,
    screen_without_summary,
    screen_without_widgets,
    silent_image,
    textvqa,
    translated,
    with_file,
)

ANNOTATIONS = [
    Fault(
        "a folder without the data set",
        nothing,
        (*ON_TEXTVQA,),
        "there is no TextVQA_0.5.1_train.json in data/textvqa or data/textvqa/annotations or "
        "data/textvqa/data or data/textvqa/images.\n"
        "TextVQA_0.5.1_train.json, TextVQA_0.5.1_val.json and TextVQA_0.5.1_test.json, "
        "train_val_images.zip and test_images.zip are at https://textvqa.org/dataset; unzip "
        "the images there.",
    ),
    Fault(
        "a RefCOCO without its parts",
        nothing,
        ("task=refcoco",),
        "RefCOCO is incomplete, there is no data/refcoco/refcoco/refs(unc).p; no "
        "data/refcoco/refcoco+/refs(unc).p; no data/refcoco/refcocog/refs(umd).p; no "
        "data/refcoco/refcoco/instances.json; no data/refcoco/refcoco+/instances.json; no "
        "data/refcoco/refcocog/instances.json; no folder of images: none of "
        "data/refcoco/images/mscoco/images/train2014, "
        "data/refcoco/images/mscoco/images/train2017, data/refcoco/images/train2014, "
        "data/refcoco/images/train2017, data/refcoco/train2014, data/refcoco/train2017, "
        "data/refcoco/coco/train2014, data/refcoco/coco/train2017, data/refcoco/../train2014,"
        " data/refcoco/../train2017, data/refcoco/../coco/train2014, "
        "data/refcoco/../coco/train2017.\n"
        "Unzip refcoco.zip, refcoco+.zip and refcocog.zip of the REFER release "
        "(https://github.com/lichengunc/refer) into data/refcoco, and COCO's train2014.zip "
        "(https://cocodataset.org) there as well:\n"
        "  refcoco/refs(unc).p\n"
        "  refcoco+/refs(unc).p\n"
        "  refcocog/refs(umd).p\n"
        "  refcoco/instances.json\n"
        "  refcoco+/instances.json\n"
        "  refcocog/instances.json\n"
        "  train2014/COCO_train2014_000000000009.jpg ...",
    ),
    Fault(
        "another release of the annotations",
        textvqa(lambda content: content.update(dataset_version="0.5")),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json: this is the 'train' part of version '0.5', "
        "not the 'train' part of 0.5.1, which the paper used.\n"
        "TextVQA_0.5.1_train.json, TextVQA_0.5.1_val.json and TextVQA_0.5.1_test.json, "
        "train_val_images.zip and test_images.zip are at https://textvqa.org/dataset; unzip "
        "the images there.",
    ),
    Fault(
        "the annotations of another split under this one's name",
        textvqa(lambda content: content.update(dataset_type="val")),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json: this is the 'val' part of version '0.5.1', "
        "not the 'train' part of 0.5.1, which the paper used.\n"
        "TextVQA_0.5.1_train.json, TextVQA_0.5.1_val.json and TextVQA_0.5.1_test.json, "
        "train_val_images.zip and test_images.zip are at https://textvqa.org/dataset; unzip "
        "the images there.",
    ),
    Fault(
        "annotations that are cut short",
        cut_short("TextVQA_0.5.1_train.json"),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, the whole file: cut short or no JSON …. The "
        "published file is not like that: download it again.",
    ),
    Fault(
        "annotations of no bytes",
        with_file("TextVQA_0.5.1_train.json", b""),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, the whole file: cut short or no JSON …. The "
        "published file is not like that: download it again.",
    ),
    Fault(
        "a folder in place of the annotations",
        folder_in_place_of(TEXTVQA / "TextVQA_0.5.1_train.json"),
        (*ON_TEXTVQA,),
        "there is no TextVQA_0.5.1_train.json in data/textvqa or data/textvqa/annotations or "
        "data/textvqa/data or data/textvqa/images.\n"
        "TextVQA_0.5.1_train.json, TextVQA_0.5.1_val.json and TextVQA_0.5.1_test.json, "
        "train_val_images.zip and test_images.zip are at https://textvqa.org/dataset; unzip the "
        "images there.",
    ),
    Fault(
        "a page of HTML in place of the annotations",
        with_file("TextVQA_0.5.1_train.json", b"<html>404 Not Found</html>"),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, the whole file: cut short or no JSON …. The "
        "published file is not like that: download it again.",
    ),
    Fault(
        "an id that comes twice",
        textvqa(lambda content: content["data"].append(content["data"][0])),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, question_id 0: it comes twice. The published "
        "file is not like that: download it again.",
    ),
    Fault(
        "a record without answers",
        textvqa(lambda content: content["data"][2].pop("answers")),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, question_id 2: it has no 'answers'. The "
        "published file is not like that: download it again.",
    ),
    Fault(
        "a record with too few answers",
        record(answers=["two"] * 9),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, question_id 2: it has 9 answers, not 10. The "
        "published file is not like that: download it again.",
    ),
    Fault(
        "an id that is a text",
        record(question_id="7"),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, question_id '7': its question_id is '7', no "
        "int. The published file is not like that: download it again.",
    ),
    Fault(
        "an empty question",
        record(question=" "),
        (*ON_TEXTVQA,),
        "data/textvqa/TextVQA_0.5.1_train.json, question_id 2: its question is empty. The "
        "published file is not like that: download it again.",
    ),
    Fault(
        "an image named by a path that leads out of the data set",
        record(image_id="../../../etc/passwd"),
        (*ON_TEXTVQA,),
        "'../../../etc/passwd.jpg' is no name of an image: annotations name files, not paths,"
        " which could lead out of the data set. Fetch them again from their publisher",
    ),
    Fault(
        "a table of rotations without some of the images",
        rotations,
        (*ON_TEXTVQA,),
        "3 of 4 images are not in data/textvqa/train-images-boxable-with-rotation.csv; the "
        "first is train01. The tables of OpenImages' training and test images are both "
        "needed.\n"
        "The tables are https://storage.googleapis.com/openimages/2018_04/train/train-images-"
        "boxable-with-rotation.csv and https://storage.googleapis.com/openimages/2018_04/test"
        "/test-images-with-rotation.csv.",
    ),
    Fault(
        "an empty caption",
        caption(" \n"),
        ("task=coco_captions",),
        "data/coco/dataset_coco.json, image 0: an empty caption, ' \\n'. The published file "
        "is not like that: download it again.",
    ),
    Fault(
        "a count that is no number",
        rsvqa(answer="many"),
        ("task=rsvqa_lr", "final_split=false", "task.numeric=true"),
        "data/rsvqa_lr/LR_split_train_questions.json, id 1: 'many' for an answer of "
        "type count … with base 10: 'many'). The published file is not like that: download it"
        " again.",
    ),
    Fault(
        "an answer to another question",
        rsvqa(question_id=0),
        ("task=rsvqa_lr", "final_split=false", "task.numeric=true"),
        "data/rsvqa_lr/LR_split_train_questions.json, id 1: its answer is one to "
        "question 0. The published file is not like that: download it again.",
    ),
    Fault(
        "a pickle that would run a program",
        refs(b"cos\nsystem\n(S'id'\ntR."),
        ("task=refcoco",),
        "data/refcoco/refcoco/refs(unc).p asks for os.system, which could run code: refused. "
        "Plain annotations need no such thing; fetch the file again from its publisher.",
    ),
    Fault(
        "a pickle that is cut short",
        refs(b"\x80\x02]q\x00}q"),
        ("task=refcoco",),
        "data/refcoco/refcoco/refs(unc).p is no pickle or a damaged one …; fetch the file again",
    ),
    Fault(
        "a referring expression without words",
        refs(sentences=[{"sent_id": 0, "sent": " "}]),
        ("task=refcoco",),
        "data/refcoco/refcoco/refs(unc).p, ref_id 0: no sentence, or an empty one. The "
        "published file is not like that: unzip it again.",
    ),
    Fault(
        "a record of an unknown split",
        refs(split="training"),
        ("task=refcoco",),
        "data/refcoco/refcoco/refs(unc).p, ref_id 0: split 'training', not train, val, testA,"
        " testB. The published file is not like that: unzip it again.",
    ),
    Fault(
        "a box outside its image",
        refcoco(lambda one: one.update(bbox=[50, 5, 20, 30])),
        ("task=refcoco",),
        "data/refcoco/refcoco/instances.json, annotation 100: no box or mask: the box [50, 5,"
        " 20, 30] (left, top, width, height) leaves the image of 60x40. The published file is"
        " not like that: unzip it again.",
    ),
    Fault(
        "a box without area",
        refcoco(lambda one: one.update(bbox=[10, 5, 0, 30])),
        ("task=refcoco",),
        "data/refcoco/refcoco/instances.json, annotation 100: no box or mask: the box [10, 5,"
        " 0, 30] (left, top, width, height) covers no pixel. The published file is not like "
        "that: unzip it again.",
    ),
    Fault(
        "a mask of an image of another size",
        refcoco(lambda one: one.update(segmentation={"size": [9, 9], "counts": [81]})),
        ("task=refcoco",),
        "data/refcoco/refcoco/instances.json, annotation 100: no box or mask: a mask of [9, "
        "9] in an image of [40, 60]. The published file is not like that: unzip it again.",
    ),
    Fault(
        "a polygon of two corners",
        refcoco(lambda one: one.update(segmentation=[[1, 2, 3, 4]])),
        ("task=refcoco",),
        "data/refcoco/refcoco/instances.json, annotation 100: no box or mask: [1, 2, 3, 4] is"
        " no polygon: it needs x and y of three corners. The published file is not like that:"
        " unzip it again.",
    ),
    Fault(
        "a missing annotation",
        refcoco(lambda one: one.update(id=7)),
        ("task=refcoco",),
        "data/refcoco/refcoco/instances.json, annotation 100 of ref_id 0: missing. The "
        "published file is not like that: unzip it again.",
    ),
    Fault(
        "a translation into a language that is none of the benchmark's",
        translated(lambda lines: [*lines, lines[0].replace('"ar"', '"tlh"')]),
        ("task=coco35l",),
        "data/coco35l/coco_mt_train.jsonl, image_id '0_1': its trg_lang is 'tlh', none of ar, bn, "
        "cs, da, de, el, es, fa, fi, fil, fr, he, hi, hr, hu, id, it, ja, ko, mi, nl, no, pl, pt, "
        "ro, ru, sv, sw, te, th, tr, uk, vi, zh. The published file is not like that: download it "
        "again.",
    ),
    Fault(
        "translations that end early, at the end of a line",
        translated(lambda lines: lines[:90]),
        ("task=coco35l",),
        "data/coco35l/coco_mt_train.jsonl, image_id 1_...: no caption in pl. The published file is "
        "not like that: download it again.",
    ),
    Fault(
        "an image without a caption",
        published("textcaps", data_sets.textcaps, silent_image),
        ("task=textcaps",),
        "data/textcaps/TextCaps_0.1_train.json, image_id 'train00': it has no caption that says "
        "anything. The published file is not like that: download it again.",
    ),
    Fault(
        "a screen of a split that is in no row of the table",
        published("screen2words", data_sets.screens, screen_without_summary),
        ("task=screen2words", "final_split=false"),
        "data/screen2words/split/train_screens.txt, screen 0: screen_summaries.csv has no summary "
        "of it. The published file is not like that: download it again.",
    ),
    Fault(
        "a widget that is nowhere on its screen",
        published("widgetcap", data_sets.screens, screen_without_widgets),
        ("task=widgetcap", "final_split=false"),
        "data/widgetcap/combined/0.json, node 0.0: no node with four bounds (it has no "
        "'children'). The published file is not like that: download it again.",
    ),
]

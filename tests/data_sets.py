"""Small whole data sets in the published formats, for tests that then break them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (60, 40)  # width, height

Splits = dict[str, list[Any]]


def write_image(path: Path, *, seed: int = 0, size: tuple[int, int] = SIZE) -> Path:
    """Noise, so that no two are alike and a part of a file is no image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def textvqa(root: Path, *, examples: int = 4) -> Path:
    """TextVQA with `examples` questions in each split, each about an image of its own."""
    for number, split in enumerate(("train", "val", "test")):
        rows = []
        for place in range(examples):
            name = f"{split}{place:02d}"
            folder = "test_images" if split == "test" else "train_images"
            write_image(root / folder / f"{name}.jpg", seed=100 * number + place)
            row = {
                "question_id": 100 * number + place,
                "image_id": name,
                "question": f"what is word {place}?",
                "set_name": split,
            }
            if split != "test":
                row["answers"] = ["two"] * 9 + ["2"]
            rows.append(row)
        content = {"dataset_type": split, "dataset_version": "0.5.1", "data": rows}
        write_json(root / f"TextVQA_0.5.1_{split}.json", content)
    return root


def vqav2(root: Path) -> Path:
    """VQAv2 with three questions in each split, of each type; POPE; and their images."""
    parts = {"train": "train2014", "val": "val2014", "test": "test2015", "test-dev": "test2015"}
    types = ("yes/no", "number", "other")
    for number, (split, part) in enumerate(parts.items()):
        questions: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for place, type_ in enumerate(types):
            image = 10 * number + place
            write_image(root / part / f"COCO_{part}_{image:012d}.jpg", seed=image)
            known = {"image_id": image, "question_id": 1000 * image}
            questions.append(known | {"question": f"What is thing {place}?"})
            answers = [{"answer": "two" if n else "2", "answer_id": n + 1} for n in range(10)]
            annotations.append(known | {"answer_type": type_, "answers": answers})
        name = part if split != "test-dev" else "test-dev2015"
        write_json(root / f"v2_OpenEnded_mscoco_{name}_questions.json", {"questions": questions})
        if not split.startswith("test"):
            content = {"annotations": annotations[::-1]}
            write_json(root / f"v2_mscoco_{name}_annotations.json", content)
    (root / "pope").mkdir()
    for kind in ("random", "popular", "adversarial"):
        rows = [
            {"question_id": place + 1, "image": f"COCO_val2014_{10 + place:012d}.jpg",
             "text": "Is there a dog in the image?", "label": ("yes", "no")[place % 2]}
            for place in range(3)
        ]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (root / "pope" / f"coco_pope_{kind}.json").write_text(lines)
    return root


def aokvqa(root: Path) -> Path:
    """A-OKVQA with two questions in each split, and their images."""
    for number, split in enumerate(("train", "val", "test")):
        rows = []
        for place in range(2):
            image = 10 * number + place
            write_image(root / f"{split}2017" / f"{image:012d}.jpg", seed=image)
            row = {
                "split": split, "image_id": image, "question_id": f"{split}{place}",
                "question": "What is he waiting for?", "choices": ["train", "delivery", "cab", "x"],
                "difficult_direct_answer": place == 1,
            }  # fmt: skip
            if split != "test":
                row["correct_choice_idx"] = 2
                row["direct_answers"] = ["cab"] * 9 + ["ride"]
            rows.append(row)
        write_json(root / f"aokvqa_v1p0_{split}.json", rows)
    return root


def yolo(root: Path) -> Path:
    """Boxes and polygons as YOLO has them, and gives back its data.yaml."""
    for split in ("train", "val"):
        for number in range(2):
            write_image(root / f"images/{split}/{number}.png", seed=number)
            labels = root / f"labels/{split}/{number}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text("0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.6 0.1 0.6 0.6\n")
    path = root / "data.yaml"
    path.write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n")
    return path


def coco(root: Path) -> Path:
    """COCO captions in Karpathy's splits, and NoCaps."""
    images = []
    for number, split in enumerate(("train", "train", "restval", "val", "test")):
        name = f"COCO_val2014_{number:012d}.jpg"
        write_image(root / "val2014" / name, seed=number)
        raw = [f"A dog on road {number}.", f"One brown dog {number} \n"]
        sentences = [{"raw": text, "imgid": number, "sentid": 0, "tokens": []} for text in raw]
        images.append(
            {"filepath": "val2014", "filename": name, "imgid": number, "split": split,
             "sentences": sentences, "cocoid": number}
        )  # fmt: skip
    write_json(root / "dataset_coco.json", {"dataset": "coco", "images": images})
    write_image(root / "nocaps/val/0013ea2087020901.jpg", seed=50)
    image = {"id": 0, "file_name": "0013ea2087020901.jpg", "domain": "in-domain"}
    annotations = [{"id": 0, "image_id": 0, "caption": "A baby."}]
    content = {"images": [image], "annotations": annotations}
    write_json(root / "nocaps/nocaps_val_4500_captions.json", content)
    return root


def textcaps(root: Path) -> Path:
    """TextCaps with two images of two captions in each split; in `test` of none."""
    for number, split in enumerate(("train", "val", "test")):
        rows = []
        for place in range(2):
            name = f"{split}{place:02d}"
            folder = "test_images" if split == "test" else "train_images"
            write_image(root / folder / f"{name}.jpg", seed=100 * number + place)
            row = {"image_id": name, "image_name": name, "set_name": split}
            texts = ["A red Sign.", f"Sign number {place}."]
            rows += [row] if split == "test" else [row | {"caption_str": text} for text in texts]
        content = {"dataset_type": split, "dataset_name": "textcaps", "data": rows}
        write_json(root / f"TextCaps_0.1_{split}.json", content)
    return root


def scicap(root: Path) -> Path:
    """SciCap's experiment on first sentences without subfigures, with two figures a split."""
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{1000 + number}.000{place}v1-Figure1-1" for place in range(2)]
        files = [f"{name}.png" for name in names]
        list_ = root / "List-of-Files-for-Each-Experiments/First-Sentence/No-Subfig" / split
        write_json(list_ / "file_idx.json", files)
        for place, name in enumerate(names):
            write_image(root / "SciCap-No-Subfig-Img" / split / f"{name}.png", seed=place)
            normal = {"caption": f"loss of model {place} .", "token": [], "sentence": []}
            content = {
                "figure-ID": f"{name}.png",
                "1-lowercase-and-token-and-remove-figure-index": normal,
            }
            write_json(root / "SciCap-Caption-All" / split / f"{name}.json", content)
    return root


def screens(root: Path) -> Path:
    """Screen2Words and Widget Captioning in one folder, with two of RICO's screens a split."""
    summaries, widgets = ["screenId,summary"], ["datasetId,screenId,nodeId,captions"]
    width, height = SIZE
    bounds = [0, 0, 2560 * width // height, 1280]
    view = {"bounds": bounds, "children": [{"bounds": bounds}, None]}
    (root / "split").mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(("train", "dev", "test")):
        numbers = [10 * number, 10 * number + 1]
        for name in (f"{split}.txt", f"{split}_screens.txt"):
            (root / "split" / name).write_text("".join(f"{one}\n" for one in numbers))
        for one in numbers:
            summaries += [f'{one},"a map, of a city"', f"{one},map {one}"]
            widgets += [f"r,{one},0.0,go back|back", f"r,{one},0,page"]
            write_image(root / "combined" / f"{one}.jpg", seed=one)
            write_json(root / "combined" / f"{one}.json", {"activity": {"root": view}})
    (root / "screen_summaries.csv").write_text("\n".join(summaries) + "\n")
    (root / "widget_captions.csv").write_text("\n".join(widgets) + "\n")
    return root


def rsvqa_lr(root: Path) -> Path:
    """RSVQA-LR with two questions in each split."""
    return _rsvqa(root, "LR", "Images_LR", ("train", "val", "test"))


def rsvqa_hr(root: Path) -> Path:
    """RSVQA-HR with two questions in each split."""
    return _rsvqa(root, "USGS", "Data", ("train", "val", "test", "test_phili"))


def _rsvqa(root: Path, release: str, images: str, splits: Sequence[str]) -> Path:
    for number, split in enumerate(splits):
        write_image(root / images / f"{number}.tif", seed=number)
        questions: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        for place in range(2 * number + 2):
            if place < 2 * number:
                questions.append({"id": place, "active": False})
                answers.append({"id": place, "active": False})
                continue
            kind = ("presence", "count")[place % 2]
            questions.append(
                {"id": place, "img_id": number, "type": kind, "question": "Is a road present?",
                 "answers_ids": [place], "active": True}
            )  # fmt: skip
            answer = ("yes", "12")[place % 2]
            answers.append({"id": place, "question_id": place, "answer": answer, "active": True})
        write_json(root / f"{release}_split_{split}_questions.json", {"questions": questions})
        write_json(root / f"{release}_split_{split}_answers.json", {"answers": answers})
    return root


def gqa(root: Path, *, examples: int = 4) -> Path:
    """GQA and xGQA with `examples` questions in each split and each language."""
    files = [
        *(f"{split}_balanced_questions" for split in ("train", "val", "testdev")),
        *(f"xgqa/testdev_balanced_questions_{language}" for language in
          ("bn", "de", "en", "id", "ko", "pt", "ru", "zh")),
    ]  # fmt: skip
    for number, file in enumerate(files):
        part = min(number, 2)  # the languages share testdev's images
        records = {}
        for place in range(examples):
            name = f"{part}{place:02d}"
            write_image(root / "images" / f"{name}.jpg", seed=int(name))
            records[f"{part}{place:07d}"] = {
                "question": f"What is on the {place}?",
                "imageId": name,
                "isBalanced": True,
                "answer": ("wall", "yes")[place % 2],
                "types": {"structural": "query"},
                "fullAnswer": "It is the wall.",
            }
        write_json(root / f"{file}.json", records)
    return root


def tallyqa(root: Path, *, examples: int = 4) -> Path:
    """TallyQA with `examples` questions in each split."""
    for number, split in enumerate(("train", "test")):
        records = []
        for place in range(examples):
            folder = ("VG_100K", "VG_100K_2", "train2014", "val2014")[place % (4, 2)[number]]
            image = f"{folder}/{10 * number + place}.jpg"
            write_image(root / image, seed=10 * number + place)
            record = {
                "answer": place, "data_source": "amt", "image": image,
                "image_id": 10 * number + place, "question": "How many?", "question_id": place,
            }  # fmt: skip
            records.append(record | ({"issimple": place % 2 == 0} if number else {}))
        write_json(root / f"{split}.json", records)
    return root


def vizwizvqa(root: Path, *, examples: int = 4) -> Path:
    """VizWiz-VQA with `examples` questions in each split."""
    for number, split in enumerate(("train", "val", "test")):
        records: list[dict[str, Any]] = []
        for place in range(examples):
            name = f"VizWiz_{split}_{place:08d}.jpg"
            write_image(root / split / name, seed=10 * number + place)
            answers = [{"answer": "a can", "answer_confidence": "yes"}] * 10
            record = {"image": name, "question": "What is this?"}
            said = {"answers": answers, "answer_type": "other", "answerable": 1}
            records.append(record | (said if split != "test" else {}))
        write_json(root / "annotations" / f"{split}.json", records)
    return root


def ocrvqa(root: Path, *, books: int = 2) -> Path:
    """OCR-VQA with `books` in each split, and two questions about each."""
    content = {}
    for split in (1, 2, 3):
        for place in range(books):
            name = f"{split}{place:09d}"
            write_image(root / "images" / f"{name}.jpg", seed=10 * split + place)
            content[name] = {
                "imageURL": f"http://ecx.images-amazon.com/images/I/{place}.jpg",
                "questions": ["Who wrote this book?", "Is this book related to Law?"],
                "answers": ["Peter Chan", "No"],
                "title": "Girls", "authorName": "Peter Chan", "genre": "Art", "split": split,
            }  # fmt: skip
    write_json(root / "dataset.json", content)


def infovqa(root: Path) -> Path:
    """InfoVQA with two questions in each split, both about one picture."""
    for number, split in enumerate(("train", "val", "test")):
        write_image(root / f"images/{number}.jpeg", seed=number)
        rows = []
        for place in range(2):
            row: dict[str, Any] = {
                "questionId": 10 * number + place,
                "question": f"Which are number {place}?",
                "image_local_name": f"{number}.jpeg",
            }
            if split != "test":
                row |= {"answers": ["Red, blue"], "answer_type": ["multi-span"]}
            rows.append(row)
        name = f"infographicsVQA_{split}_v1.0{'_withQT' if split == 'val' else ''}.json"
        write_json(root / name, {"dataset_split": split, "data": rows})
    return root


def stvqa(root: Path) -> Path:
    """ST-VQA with twenty questions to learn from, each about another image, and two to test on."""
    for split, folder, count in (
        ("train", "train_images", 20),
        ("test", "test_task3_images", 2),
    ):
        rows = []
        for place in range(count):
            write_image(root / folder / f"VizWiz/{place}.jpg", seed=place)
            row = {
                "question_id": place,
                "question": f"What is word {place}?",
                "file_path": f"VizWiz/{place}.jpg",
            }
            rows.append(row if split == "test" else row | {"answers": ["Two", "2"]})
        write_json(root / f"{split}_task_3.json", {"data": rows})
    return root


def chartqa(root: Path) -> Path:
    """ChartQA with two questions of people and three others in each split, about one chart."""
    for split in ("train", "val", "test"):
        write_image(root / split / "png/1.png")
        for part, count in (("human", 2), ("augmented", 3)):
            rows = [
                {"imgname": "1.png", "query": f"How many are {place}?", "label": str(place)}
                for place in range(count)
            ]
            write_json(root / split / f"{split}_{part}.json", rows)
    return root


REFER = {
    "refcoco": ("refs(unc).p", ("train", "val", "testA", "testB")),
    "refcoco+": ("refs(unc).p", ("train", "val", "testA", "testB")),
    "refcocog": ("refs(umd).p", ("train", "val", "test")),
}


def refcoco(root: Path, *, images: Sequence[str] = ("train", "val", "test")) -> Path:
    """RefCOCO, RefCOCO+ and RefCOCOg with one object for each split; and COCO's images."""
    width, height = SIZE
    box = [10, 5, 20, 30]
    polygon = [[10, 5, 30, 5, 30, 35, 10, 35]]
    for number, _ in enumerate(images):
        write_image(root / f"train2014/COCO_train2014_{number:012d}.jpg", seed=number)
    for name, (file, splits) in REFER.items():
        refs = []
        annotations = []
        for place, split in enumerate(splits):
            number = ("train", "val", "testA", "testB", "test").index(split)
            image = min(number, len(images) - 1)
            refs.append(
                {"ref_id": place, "ann_id": 100 + place, "image_id": image, "split": split,
                 "file_name": "COCO_train2014_1.jpg", "category_id": 1, "sent_ids": [place],
                 "sentences": [{"sent_id": place, "sent": "left man", "raw": "", "tokens": []}]}
            )  # fmt: skip
            annotations.append(
                {"id": 100 + place, "image_id": image, "bbox": box, "segmentation": polygon,
                 "iscrowd": 0, "category_id": 1}
            )  # fmt: skip
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / file).write_bytes(pickle.dumps(refs, 2))
        listed = [
            {"id": number, "height": height, "width": width, "file_name": f"{number}.jpg"}
            for number, _ in enumerate(images)
        ]
        content = {"images": listed, "annotations": annotations}
        write_json(root / name / "instances.json", content)
    return root


def science_qa(root: Path, *, problems: int = 3) -> Path:
    """ScienceQA with `problems` of each split about an image, and as many about none."""
    records = {}
    for number, split in enumerate(("train", "val", "test")):
        for place in range(2 * problems):
            name = str(100 * number + place)
            has_image = place < problems
            records[name] = {
                "question": "Which of these states is farthest north?",
                "choices": ["West Virginia", "Louisiana", "Arizona", "Oklahoma"][: 2 + place % 3],
                "answer": place % 2, "hint": "Look at the map.\nNorth is up." if place % 2 else "",
                "image": "image.png" if has_image else None, "task": "closed choice",
                "grade": "grade2", "subject": "social science", "topic": "geography",
                "category": "Geography", "skill": "Read a map: cardinal directions",
                "lecture": "Maps have four cardinal directions.", "solution": "Look at the map.",
                "split": split,
            }  # fmt: skip
            if has_image:
                write_image(root / split / name / "image.png", seed=100 * number + place)
    write_json(root / "problems.json", records)
    return root


def ai2d(root: Path, *, diagrams: int = 4) -> Path:
    """AI2D, with a question about each diagram and one about its letters; the last is of test."""
    for number in range(diagrams):
        file = f"{number}.png"
        write_image(root / "images" / file, seed=number)
        questions = {
            "What do frogs eat?": {
                "abcLabel": False, "answerTexts": ["flies", "hawks", "Grass", "none"],
                "correctAnswer": 0, "questionId": f"{file}-0",
            },
            "What is B in the diagram?": {
                "abcLabel": True, "answerTexts": ["ears", "nose", "Mouth", "face"],
                "correctAnswer": 2, "questionId": f"{file}-1",
            },
        }  # fmt: skip
        content = {"imageName": file, "questions": questions}
        write_json(root / "questions" / f"{file}.json", content)
        texts = {
            f"T{place}": {
                "id": f"T{place}", "rectangle": [[2 + 30 * place, 5], [22 + 30 * place, 25]],
                "value": "frog", "replacementText": "AB"[place],
            }
            for place in range(2)
        }  # fmt: skip
        content = {"arrowHeads": {}, "arrows": {}, "blobs": {}, "relationships": {}, "text": texts}
        write_json(root / "annotations" / f"{file}.json", content)
    (root / "ai2d_test_ids.csv").write_text(f"{diagrams - 1}\n")
    return root


def nlvr2(root: Path, *, pairs: int = 3) -> Path:
    """NLVR2, with a true and a false sentence about each pair of images; and MaRVL, with two."""
    for number, part in enumerate(("train", "dev", "test1")):
        lines = []
        for place in range(pairs):
            folder = root / "images/train" / str(place) if part == "train" else root / part
            for side in range(2):
                file = folder / f"{part}-{place}-3-img{side}.png"
                write_image(file, seed=100 * number + 2 * place + side)
            for sentence, label in enumerate(("True", "False")):
                record = {
                    "validation": {"28": label}, "sentence": f"There are {sentence} empty glasses.",
                    "left_url": "https://example.org/l.jpg", "writer": "103", "label": label,
                    "right_url": "https://example.org/r.jpg", "synset": "beer bottle",
                    "query": "group of beer bottles41",
                    "identifier": f"{part}-{place}-3-{sentence}",
                }  # fmt: skip
                if part == "train":
                    record["directory"] = place
                lines.append(record)
        _write_lines(root / f"{part}.json", lines)
    for language in ("id", "sw", "ta", "tr", "zh"):
        lines = [
            {"concept": "39-Çay", "language": language, "caption": "Panci di atas kompor.",
             "left_img": "39-0.jpg", "right_img": "39-11.jpg",
             "annotator_info": {"annotator_id": f"{language}_01", "age": 31}, "chapter": "Time",
             "id": f"{language}-{number}", "label": number == 0}
            for number in range(2)
        ]  # fmt: skip
        _write_lines(root / f"marvl/marvl-annotations/marvl-{language}.jsonl", lines)
        for name in ("39-0.jpg", "39-11.jpg"):
            write_image(
                root / "marvl/marvl-images" / language / "images/39-Çay" / name, seed=len(name)
            )
    return root


def _write_lines(path: Path, records: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")

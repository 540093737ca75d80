"""Captions of images."""

from __future__ import annotations

from pathlib import Path

from tests.data_sets.writing import SIZE, write_image, write_json, write_lines

TRANSLATED = (
    "ar", "bn", "cs", "da", "de", "el", "es", "fa", "fi", "fil", "fr", "he", "hi", "hr", "hu",
    "id", "it", "ja", "ko", "mi", "nl", "no", "pl", "pt", "ro", "ru", "sv", "sw", "te", "th",
    "tr", "uk", "vi", "zh",
)  # fmt: skip


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


def coco35l(root: Path, *, images: int = 2) -> Path:
    """COCO-35L with `images` of two captions in `train` and in `dev`; and XM3600 with as many."""
    for number, (part, folder) in enumerate((("train", "train2014"), ("dev", "val2014"))):
        records = []
        for place in range(images):
            image = 10 * number + place
            write_image(root / folder / f"COCO_{folder}_{image:012d}.jpg", seed=image)
            records += [
                {"image_id": f"{image}_{caption}", "caption_tokenized": f"a dog {caption} .",
                 "src_lang": "en", "trg_lang": language,
                 "translation_tokenized": f"{language} dog {image} {caption} .",
                 "backtranslation_tokenized": "a dog ."}
                for caption in (1, 2) for language in TRANSLATED
            ]  # fmt: skip
        write_lines(root / f"coco_mt_{part}.jsonl", records)
    records = []
    for place in range(images):
        key = f"000411001ff7dd4{place}"
        write_image(root / "xm3600/images" / f"{key}.jpg", seed=100 + place)
        texts = {
            language: {"caption": [f"A {language} cat {place}."], "caption/tokenized": []}
            for language in ("en", "quz", *TRANSLATED)
        }
        records.append({"image/key": key, "image/locale": "quz", **texts})
    write_lines(root / "xm3600/captions.jsonl", records)
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

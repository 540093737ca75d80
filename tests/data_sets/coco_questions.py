"""Questions about COCO's images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.data_sets.writing import write_image, write_json


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

"""Questions with choices, and about two images."""

from __future__ import annotations

from pathlib import Path

from tests.data_sets.writing import write_image, write_json, write_lines


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
        write_lines(root / f"{part}.json", lines)
    for language in ("id", "sw", "ta", "tr", "zh"):
        lines = [
            {"concept": "39-Çay", "language": language, "caption": "Panci di atas kompor.",
             "left_img": "39-0.jpg", "right_img": "39-11.jpg",
             "annotator_info": {"annotator_id": f"{language}_01", "age": 31}, "chapter": "Time",
             "id": f"{language}-{number}", "label": number == 0}
            for number in range(2)
        ]  # fmt: skip
        write_lines(root / f"marvl/marvl-annotations/marvl-{language}.jsonl", lines)
        for name in ("39-0.jpg", "39-11.jpg"):
            write_image(
                root / "marvl/marvl-images" / language / "images/39-Çay" / name, seed=len(name)
            )
    return root

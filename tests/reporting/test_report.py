"""The report: what stands beside what, on screen, in Markdown and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pg_transfer.metrics.bootstrap import Interval
from pg_transfer.reporting.published import SOURCE
from pg_transfer.reporting.report import Line, Report, build_report, cells, number
from pg_transfer.segmentation.referring import ReferringTask, Region
from pg_transfer.task import Answer, Example, Scores, pieces_of
from pg_transfer.text.locations import codes_to_text


class WholeBox:
    """A mask codec that draws the whole box."""

    def encode(self, masks):
        return np.zeros((len(masks), 16), dtype=np.int64)

    def decode(self, codes):
        return np.ones((len(codes), 64, 64), dtype=np.float32)


class Referring(ReferringTask):
    def examples(self, split):
        mask = np.zeros((10, 20), dtype=bool)
        mask[:, :10] = True  # the left half
        region = Region((0.0, 0.0, 1.0, 0.5), lambda: mask)
        return [Example(id=str(number), image=Path(), reference=region) for number in range(4)]


@pytest.fixture
def scores() -> tuple[Scores, ReferringTask]:
    """Everything, the left half, the right half and no region as answers to "the left half"."""
    task = Referring(WholeBox())
    texts = [
        "<loc0000><loc0000><loc1023><loc1023>" + codes_to_text(range(16)),
        "<loc0000><loc0000><loc1023><loc0512>" + codes_to_text(range(16)),
        "<loc0000><loc0512><loc1023><loc1023>" + codes_to_text(range(16)),
        "none",
    ]
    answers = [
        Answer(example, text, pieces_of(text))
        for example, text in zip(task.examples("val"), texts, strict=True)
    ]
    return task.score(answers), task


def report_on(
    scores, task, *, resolution: int = 448, model: str = "paligemma_3b", **more
) -> Report:
    return build_report(
        {"refcoco/val": scores, "refcoco/testA": scores},
        task.formulas_of,
        task="refcoco",
        model=model,
        resolution=resolution,
        facts={"step": 12},
        notes=["made up"],
        **more,
    )


def test_refcoco_at_448(scores, tmp_path: Path) -> None:
    report = report_on(*scores)
    report.save(tmp_path / "report.md")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert (saved["task"], saved["resolution"], saved["step"]) == ("refcoco", 448, 12)
    assert saved["published"] == SOURCE and saved["notes"] == ["made up"]
    val = saved["splits"]["refcoco/val"]
    assert list(val) == [
        "mIoU", "box_accuracy@0.5", "box_accuracy@0.75", "oIoU", "invalid", "total"
    ]  # fmt: skip
    # Mask IoUs 0.5, 1, 0 and 0, of mean 0.375; published is 75.57.
    assert val["mIoU"]["ours"] == 37.5
    assert val["mIoU"]["published"] == 75.57
    assert val["mIoU"]["difference"] == pytest.approx(-38.07)
    assert 0 <= val["mIoU"]["low"] < 37.5 < val["mIoU"]["high"] <= 100
    # Intersections 100, 100, 0 and 0, unions 200, 100, 200 and 100 pixels.
    assert val["oIoU"]["ours"] == pytest.approx(100 * 200 / 600)
    assert val["oIoU"]["low"] < 100 / 3 < val["oIoU"]["high"]
    assert val["oIoU"]["published"] is None and val["oIoU"]["difference"] is None
    assert val["box_accuracy@0.5"]["ours"] == 50
    assert val["invalid"] == {
        "ours": 1, "before": None, "low": None, "high": None, "published": None,
        "difference": None, "examples": 4,
    }  # fmt: skip
    test_a = saved["splits"]["refcoco/testA"]
    assert test_a["mIoU"]["published"] is None
    assert {**test_a["mIoU"], "published": 75.57, "difference": val["mIoU"]["difference"]} == (
        val["mIoU"]
    )


def test_the_page(scores) -> None:
    page = report_on(*scores).as_markdown()
    assert page.startswith(
        "# Report\n\ntask refcoco, model paligemma_3b, resolution 448, step 12\n"
    )
    header, rule, first = page.split("## refcoco/val\n\n")[1].splitlines()[:3]
    assert header == "| metric | ours | 95% interval | published | difference | examples |"
    assert rule == "| --- | ---: | ---: | ---: | ---: | ---: |"
    low, high = report_on(*scores).splits["refcoco/val"][0].interval[:2]
    assert first == f"| mIoU | 37.50 | {low:.2f} – {high:.2f} | 75.57 | -38.07 | 4 |"
    assert "- made up\n" in page and f"- Published: {SOURCE}\n" in page
    assert "published" not in page.split("## refcoco/testA")[1].split("- made up")[0]


@pytest.mark.parametrize("settings", [{"model": "tiny"}, {"resolution": 336}])
def test_other_models_and_resolutions_stand_alone(scores, settings) -> None:
    report = report_on(*scores, **settings)
    lines = report.splits["refcoco/val"]
    assert cells(lines)[0] == ["metric", "ours", "95% interval", "examples"]
    assert "ublished" not in report.as_markdown()


def test_the_weights_started_from_come_first(scores) -> None:
    verdict, task = scores
    worse = Scores({**verdict.metrics, "mIoU": 0.5, "invalid": 4}, verdict.examples)
    lines = report_on(verdict, task, before={"refcoco/val": worse}).splits["refcoco/val"]
    header, first, *_, invalid, _ = cells(lines)
    assert header[:3] == ["metric", "before", "after"]
    assert first[:3] == ["mIoU", "0.50", "37.50"]
    assert invalid == ["invalid", "4", "1", "", "", "", "4"]
    assert lines[0].difference == pytest.approx(37.5 - 75.57)


def test_what_a_server_has_to_work_out_stands_beside_nothing() -> None:
    report = build_report(
        {"test": Scores({"answered": 5734}, [{}] * 5734)},
        lambda _: {},
        task="textvqa", model="paligemma_3b", resolution=896, facts={}, notes=[],
    )  # fmt: skip
    assert cells(report.splits["test"]) == [
        ["metric", "ours", "published", "examples"],
        ["answered", "5,734", "", "5,734"],
        ["accuracy", "", "76.48", "5,734"],
    ]


def test_numbers_are_written_for_people() -> None:
    values = [number(value) for value in (12345, 12.345, 0.0, None)]
    assert values == ["12,345", "12.35", "0.00", ""]
    line = Line("CIDEr", 141.5, None, Interval(139.04, 143.96, 5000), 141.92, 5000)
    assert cells([line])[1] == ["CIDEr", "141.50", "139.04 – 143.96", "141.92", "-0.42", "5,000"]
    assert cells([line._replace(ours=142.0)])[1][4] == "+0.08"

"""Caption scores against the official evaluation (COCOEvalCap), live and recorded."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pycocoevalcap import eval as official
from pycocoevalcap.meteor.meteor import Meteor
from pycocotools.coco import COCO

from pg_transfer.metrics import captions
from pg_transfer.metrics.bleu import FORMULAS
from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.metrics.captions import METRICS, main, official_scores, score_captions

REFERENCES = {
    42: ["A man rides a wave on a surfboard.", "A surfer (in black) isn't falling\n", "Surf's up!"],
    7: ["Two dogs, running; one barks... ", 'A "dog" and another dog run', "Dogs, cats, etc."],
    30: ["A red double-decker bus", "The bus is red. It's old."],
    5: ["A plate of food", "Some food on a plate", "Lunch", "A plate with rice", "food, rice"],
}
RESULTS = {
    42: "A man riding a wave on top of a surfboard.",
    7: "two dogs run ",
    30: "The bus isn't blue",
    5: "",
}
# What COCOEvalCap says, with METEOR 1.5 and OpenJDK 17; the images in the order 42, 7, 30, 5.
OFFICIAL = {
    "Bleu_1": 0.7222222221820989,
    "Bleu_2": 0.5805489100806612,
    "Bleu_3": 0.3829794395146968,
    "Bleu_4": 4.99828443922142e-05,
    "METEOR": 0.28724691540576885,
    "ROUGE_L": 0.4393807026325859,
    "CIDEr": 0.9597281341771504,
}
OFFICIAL_CIDER = [1.0313035583209236, 1.1240404103216861, 1.6835685680659915, 0]
BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")
NO_JAVA = {
    name: "it needs Java, and there is no `java` on this machine" for name in ("METEOR", "SPICE")
}


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """References and results as official files."""
    paths = tmp_path / "captions_val2014.json", tmp_path / "results.json"
    images = [{"id": image, "file_name": f"{image}.jpg"} for image in REFERENCES]
    annotations = [
        {"image_id": image, "id": 10 * image + place, "caption": texts[place]}
        for place in range(5)
        for image, texts in reversed(REFERENCES.items())
        if place < len(texts)
    ]
    results = [{"image_id": image, "caption": text} for image, text in RESULTS.items()]
    paths[0].write_text(json.dumps({"images": images, "annotations": annotations}))
    paths[1].write_text(json.dumps(results[::-1]))
    return paths


def run(*arguments: Any) -> None:
    main([str(argument) for argument in arguments])


def score(**options: Any) -> captions.CaptionScores:
    return official_scores(list(RESULTS.values()), list(REFERENCES.values()), **options)


def test_equals_what_was_recorded(no_java: None) -> None:
    scores = score()
    assert list(scores.metrics) == [name for name in METRICS if name not in NO_JAVA]
    assert scores.metrics == pytest.approx(
        {name: OFFICIAL[name] for name in scores.metrics}, rel=1e-12
    )
    assert [one["CIDEr"] for one in scores.examples] == pytest.approx(OFFICIAL_CIDER, rel=1e-12)
    assert [list(one) for one in scores.examples] == [list(scores.metrics)] * 4
    assert scores.left_out == NO_JAVA


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the official METEOR's pipes
@pytest.mark.parametrize(
    "meteor", [pytest.param(True, marks=pytest.mark.slow), False], ids=["meteor", "no meteor"]
)
def test_equals_the_official_evaluation(
    files: tuple[Path, Path], meteor: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_java()
    for name in ("Spice",) if meteor else ("Spice", "Meteor"):
        monkeypatch.setattr(official, name, Silent)
    monkeypatch.setattr(captions, "SPICE_JARS", [Path("none.jar")])
    coco = COCO(str(files[0]))
    evaluation = official.COCOEvalCap(coco, coco.loadRes(str(files[1])))
    evaluation.evaluate()
    if not meteor:
        monkeypatch.setattr(shutil, "which", lambda _: None)
    scores = score()
    assert list(scores.left_out) == (["SPICE"] if meteor else ["METEOR", "SPICE"])
    for name in METRICS:
        assert (name in scores.metrics) == (name not in scores.left_out)
    assert scores.metrics == {name: evaluation.eval[name] for name in scores.metrics}
    assert scores.metrics == pytest.approx({name: OFFICIAL[name] for name in scores.metrics})
    for image, singles in zip(REFERENCES, scores.examples, strict=True):
        assert singles == {name: evaluation.imgToEval[image][name] for name in scores.metrics}


def test_files_are_scored_in_the_order_of_the_references(
    no_java: None, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run("--references", files[0], "--results", files[1])
    printed = capsys.readouterr().out
    assert json.loads(printed) == score().metrics | {"left_out": NO_JAVA}
    assert printed.index("Bleu_4") < printed.index("ROUGE_L") < printed.index("CIDEr")


@pytest.mark.slow
def test_spice_equals_the_official_evaluation(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_java()
    if not all(path.exists() for path in captions.SPICE_JARS):
        pytest.skip(f"no {captions.JAR}")
    monkeypatch.setattr(official, "Meteor", Silent)
    monkeypatch.setenv("JDK_JAVA_OPTIONS", captions.SPICE_JAVA_OPTIONS)
    coco = COCO(str(files[0]))
    evaluation = official.COCOEvalCap(coco, coco.loadRes(str(files[1])))
    evaluation.evaluate()
    monkeypatch.delenv("JDK_JAVA_OPTIONS")
    scores = score(wanted=["SPICE"])
    assert scores.metrics == {"SPICE": evaluation.eval["SPICE"]} and scores.left_out == {}
    for image, singles in zip(REFERENCES, scores.examples, strict=True):
        assert singles == {"SPICE": evaluation.imgToEval[image]["SPICE"]["All"]["f"]}


SERIALISES = """
import org.nustaq.serialization.FSTConfiguration;
public class Serialises {
    public static void main(String[] words) {
        FSTConfiguration made = FSTConfiguration.createDefaultConfiguration();
        Object list = new java.util.ArrayList<>(java.util.List.of(words));
        System.out.print(made.asObject(made.asByteArray(list)));
    }
}
"""


def test_spices_serialiser_works_on_this_java(tmp_path: Path) -> None:
    require_java()
    if shutil.which("javac") is None:
        pytest.skip("no Java compiler")
    source = tmp_path / "Serialises.java"
    source.write_text(SERIALISES)
    jars = Path(captions.SPICEDIR, captions.SPICELIB, "*")
    with captions._java_options(captions.SPICE_JAVA_OPTIONS):
        ran = subprocess.run(
            ["java", "-cp", jars, source, "dog", "runs"], capture_output=True, text=True
        )
    assert ran.stdout == "[dog, runs]", ran.stderr
    assert "JDK_JAVA_OPTIONS" not in os.environ


def require_java() -> None:
    if shutil.which("java") is None:
        pytest.skip("no Java")


class Silent:
    """In the place of a scorer that is not asked."""

    def method(self) -> str:
        return "silence"

    def compute_score(self, gts: dict, res: dict) -> tuple[float, list[float]]:
        return 0.0, [0.0] * len(gts)


def test_by_hand(no_java: None) -> None:
    # The second shares no word with its references. Of eight words four are right, of six pairs
    # three, of four triples two, of two quadruples one: half of each. Both captions are as long as
    # a reference, so that nothing is taken off.
    said = ["a dog runs fast", "zebras graze in peace"]
    written = [["a dog runs fast"], ["the bus is red", "one red bus"]]
    scores = official_scores(said, written, ("ROUGE_L", *BLEU))
    assert scores.metrics == pytest.approx(dict.fromkeys([*BLEU, "ROUGE_L"], 0.5), abs=1e-6)
    assert [one["ROUGE_L"] for one in scores.examples] == [1, 0]
    # CIDEr of a caption that is the only reference is 10, if other images do not share its words.
    assert official_scores(said, written, ["CIDEr"]).metrics["CIDEr"] == pytest.approx(10 / 2)


def test_tasks_report_percent_and_cider_first(no_java: None) -> None:
    scores = score_captions(list(RESULTS.values()), list(REFERENCES.values()))
    assert list(scores.metrics) == ["CIDEr", *BLEU, "ROUGE_L"]
    assert scores.metrics["CIDEr"] == pytest.approx(95.97281341771504, rel=1e-12)
    assert scores.examples[0]["CIDEr"] == pytest.approx(OFFICIAL_CIDER[0], rel=1e-12)
    assert scores.remarks == [f"{name} is left out: {reason}" for name, reason in NO_JAVA.items()]


def test_all_but_meteor_have_intervals(no_java: None) -> None:
    # Every caption says again what was said of some image, so that four words in a row agree.
    written = [texts for texts in REFERENCES.values() for _ in range(20)]
    said = [texts[number % len(texts)] for number, texts in enumerate(written)]
    said[::3] = [text.replace("a", "one") for text in said[::3]]
    scores = score_captions(said, written)
    found = intervals(scores, FORMULAS)
    assert list(found) == list(scores.metrics)
    for name, value in scores.metrics.items():
        assert found[name].low < value < found[name].high
    # Of a split twice as large the same captions are drawn as often.
    twice = intervals(score_captions(said * 2, written * 2), FORMULAS)
    assert twice["Bleu_4"].high - twice["Bleu_4"].low < found["Bleu_4"].high - found["Bleu_4"].low


def test_bleu_of_parts_by_hand() -> None:
    # Half of the words and a quarter of the pairs are right, and five words stand for eight.
    means = {"words": 5, "reference_words": 8, "right_1_grams": 2, "1_grams": 4,
             "right_2_grams": 1, "2_grams": 4}  # fmt: skip
    expected = 100 * math.exp(1 - 8 / 5) * math.sqrt(1 / 2 * 1 / 4)
    assert FORMULAS["Bleu_2"](means) == pytest.approx(expected)


class Dying(Meteor):
    """A METEOR whose Java program ends at once."""

    def __init__(self) -> None:
        self.meteor_p = subprocess.Popen(
            [sys.executable, "-c", ""],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.lock = threading.Lock()


@pytest.fixture
def java_says(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Puts something else in the place of the programs in Java, which then seem to be there."""

    def replace(meteor: Any, spice: Any = Silent, jars: Sequence[Path] = ()) -> None:
        monkeypatch.setattr(shutil, "which", lambda _: "java")
        monkeypatch.setattr(captions, "Meteor", meteor)
        monkeypatch.setattr(captions, "Spice", spice)
        monkeypatch.setattr(captions, "SPICE_JARS", jars)

    return replace


def test_a_program_that_dies_costs_its_metric_alone(java_says: Callable) -> None:
    java_says(Dying)
    scores = score(wanted=["METEOR", "CIDEr"])
    assert scores.metrics == {"CIDEr": pytest.approx(OFFICIAL["CIDEr"])}
    assert list(scores.left_out) == ["METEOR"]
    assert scores.left_out["METEOR"].startswith("its Java program has failed")


class Spice:
    """Says something on standard output, as its child process would."""

    def compute_score(self, gts: dict, res: dict) -> tuple[float, list[dict]]:
        subprocess.run([sys.executable, "-c", "print('SPICE evaluation took: 1 s')"], check=True)
        assert gts[1][2] == "dogs cats etc." and res[1] == ["two dogs run"]
        return 0.25, [{"All": {"f": part / 6}, "Color": {"f": 1.0}} for part in range(4)]


class Crashing(Spice):
    def compute_score(self, gts: dict, res: dict) -> tuple[float, list[dict]]:
        raise subprocess.CalledProcessError(1, ["java", "-jar"])


def test_spice_where_its_models_are(java_says: Callable, capfd: pytest.CaptureFixture[str]) -> None:
    java_says(Dying, Spice)
    scores = score(wanted=["SPICE"])
    assert (scores.metrics, scores.left_out) == ({"SPICE": 0.25}, {})
    assert [one["SPICE"] for one in scores.examples] == [0, 1 / 6, 2 / 6, 3 / 6]
    out, err = capfd.readouterr()
    assert out == "" and "took: 1 s" in err


def test_spice_that_fails_or_has_no_models_is_left_out(java_says: Callable, tmp_path: Path) -> None:
    java_says(Dying, Crashing)
    assert "exit status 1" in score(wanted=["SPICE"]).left_out["SPICE"]
    java_says(Dying, Spice, jars=[tmp_path / "stanford-corenlp-3.6.0.jar"])
    assert "get_stanford_models` downloads" in score(wanted=["SPICE"]).left_out["SPICE"]


@pytest.mark.parametrize(
    ("said", "written", "complaint"),
    [
        ([], [], "0 answers"),
        (["a"], [["a"], ["b"]], "1 answers .* 2 references"),
        (["a", "b"], [["a"], []], "an image has no reference"),
        (["a"], [["...", ""]], "not one word"),
    ],
)
def test_what_cannot_be_scored_is_refused(said: list, written: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        official_scores(said, written)


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match="no metric 'CIDER'; there are Bleu_1"):
        official_scores(["a"], [["a"]], ["CIDER"])


def test_part_of_a_split_is_scored_as_a_set_of_its_own(
    no_java: None, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    results = json.loads(files[1].read_text())
    files[1].write_text(json.dumps(results[:3]))
    with pytest.raises(SystemExit, match=r"1 of 4 have no result, the first is 42; .* --subset"):
        run("--references", files[0], "--results", files[1])
    run("--references", files[0], "--results", files[1], "--subset")
    printed = json.loads(capsys.readouterr().out)
    part = official_scores(list(RESULTS.values())[1:], list(REFERENCES.values())[1:])
    assert printed == part.metrics | {"left_out": NO_JAVA}


def edited(path: Path, edit: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("file", "edit", "complaint"),
    [
        (
            1,
            lambda rows: rows[0].update(image_id=99),
            "1 of 4 results .* 99; is it the right split",
        ),
        (1, lambda rows: rows[0].update(image_id="5"), "1 of 4 results .* '5'"),
        (1, lambda rows: rows.append(rows[0]), "a second result for image_id 5"),
        (1, lambda rows: rows[0].update(caption=None), "`caption` has to be str, but is None in"),
        (
            1,
            lambda rows: rows[0].pop("image_id"),
            "`image_id` has to be int or str, but is missing",
        ),
        (1, lambda rows: rows.append("a dog"), "no list of objects"),
        (0, lambda all_: all_.pop("images"), "no list of objects named 'images'"),
        (0, lambda all_: all_["images"].pop(), "image 5 has captions, but is not among the images"),
        (0, lambda all_: all_["images"].append({"id": 6}), "image 6 has no caption"),
        (0, lambda all_: all_["annotations"][0].pop("caption"), "`caption` has to be str"),
    ],
)
def test_files_that_cannot_be(
    files: tuple[Path, Path], file: int, edit: Callable, complaint: str
) -> None:
    edited(files[file], edit)
    with pytest.raises(SystemExit, match=rf"^error: .*{files[file].name}: {complaint}"):
        run("--references", files[0], "--results", files[1])


def test_broken_and_missing_files_are_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    files[1].write_text("[{")
    with pytest.raises(SystemExit, match=r"error: .*results\.json: no JSON, or cut short"):
        run("--references", files[0], "--results", files[1])
    with pytest.raises(SystemExit, match=r"error: .*none\.json"):
        run("--references", tmp_path / "none.json", "--results", files[1])


def test_scores_from_the_command_line_of_a_shell(files: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", captions.__name__, "--references", files[0]]
    ran = subprocess.run(
        [*command, "--results", files[1]], capture_output=True, text=True,
        env=os.environ | {"PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert json.loads(ran.stdout)["CIDEr"] == pytest.approx(OFFICIAL["CIDEr"], rel=1e-12)
    ran = subprocess.run([*command, "--results", "none.json"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")

"""How well captions agree with what people wrote: BLEU, METEOR, ROUGE-L, CIDEr-D and SPICE.

Source: pycocoevalcap (Chen et al. 2015, arXiv:1504.00325), whose scorers do the work. Tokens come
from `pg_transfer.metrics.ptb`, so that only METEOR and SPICE need Java.

`python -m pg_transfer.metrics.captions --references captions_val2014.json --results results.json`
scores a file in COCO's results format.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat

import numpy as np

from pg_transfer.metrics.averages import require_as_many
from pg_transfer.metrics.bleu import BLEU, parts_of
from pg_transfer.metrics.ptb.tokenizer import tokenize
from pg_transfer.metrics.results import (
    field,
    print_json,
    read_json,
    read_list,
    read_results,
    require_match,
)
from pg_transfer.task import Scores

try:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.spice.get_stanford_models import JAR, SPICEDIR, SPICELIB
    from pycocoevalcap.spice.spice import Spice
except ImportError as error:
    raise ImportError(
        "captions are scored by pycocoevalcap, which is not installed: "
        "pip install 'pg_transfer[captions]'"
    ) from error

METRICS = (*BLEU, "METEOR", "ROUGE_L", "CIDEr", "SPICE")
WITHOUT_JAVA = (*BLEU, "ROUGE_L", "CIDEr")
"""These take seconds; Java alone needs ten to start METEOR."""
SPICE_JARS = tuple(Path(SPICEDIR, SPICELIB, f"{JAR}{part}.jar") for part in ("", "-models"))
# Since version 16, Java keeps its own classes from SPICE's serialiser unless told otherwise.
SPICE_JAVA_OPTIONS = " ".join(
    f"--add-opens=java.base/java.{package}=ALL-UNNAMED"
    for package in ("lang", "math", "net", "text", "util", "util.concurrent")
)

Captions = dict[int, list[str]]
Verdict = tuple[SupportsFloat, Sequence[SupportsFloat] | np.ndarray]
"""On all images, and on each."""


class CaptionScores(NamedTuple):
    """What the official evaluation says, in its own units.

    Attributes:
        metrics: fractions, in the order of `METRICS`; CIDEr is between 0 and 10.
        examples: for each caption the same metrics of it alone.
        left_out: which metrics could not be worked out, and why.
        bleu_parts: for each caption what BLEU adds up, see `metrics.bleu`; empty without BLEU.
    """

    metrics: dict[str, float]
    examples: list[dict[str, float]]
    left_out: dict[str, str]
    bleu_parts: list[dict[str, float]]


def official_scores(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    wanted: Collection[str] = METRICS,
) -> CaptionScores:
    """The metrics of one caption per image.

    How rare a word is for CIDEr follows from the references given, so that a part of a split
    scores differently from the whole.

    Args:
        captions: one for each image.
        references: for each image, all that people wrote, in the order of their file.
        wanted: which of `METRICS` to work out.

    Raises:
        ValueError: no captions, not as many references, an image without any, or no such metric.
    """
    if unknown := set(wanted) - set(METRICS):
        raise ValueError(f"there is no metric {min(unknown)!r}; there are {', '.join(METRICS)}")
    said, written = _tokens(captions, references)
    verdicts: dict[str, Verdict] = {}
    left_out: dict[str, str] = {}
    bleu_parts = []
    if set(wanted) & set(BLEU):
        scorer = BleuScorer(n=len(BLEU))
        for image, texts in written.items():
            scorer += (said[image][0], texts)
        totals, singles = scorer.compute_score(option="closest")
        verdicts |= zip(BLEU, zip(totals, singles, strict=True), strict=True)
        bleu_parts = [parts_of(counts) for counts in scorer.ctest]
    for name, scorer in (("ROUGE_L", Rouge), ("CIDEr", Cider)):
        if name in wanted:
            verdicts[name] = scorer().compute_score(written, said)
    for name, score in (("METEOR", _meteor), ("SPICE", _spice)):
        if name in wanted:
            try:
                verdicts[name] = score(written, said)
            except Exception as error:  # Whatever it is, the other scores are worth having.
                left_out[name] = str(error) or repr(error)
    done = [name for name in METRICS if name in wanted and name in verdicts]
    return CaptionScores(
        metrics={name: float(verdicts[name][0]) for name in done},
        examples=[
            {name: float(verdicts[name][1][image]) for name in done} for image in range(len(said))
        ],
        left_out=left_out,
        bleu_parts=bleu_parts,
    )


def score_captions(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    wanted: Collection[str] = METRICS,
) -> Scores:
    """As `official_scores`, in percent and with CIDEr first, as tasks report them.

    Of each metric that cannot be worked out here a remark says why.
    """
    scores = official_scores(captions, references, wanted)
    names = sorted(scores.metrics, key=lambda name: name != "CIDEr")
    return Scores(
        metrics={name: 100 * scores.metrics[name] for name in names},
        examples=[{name: one[name] for name in names} for one in scores.examples],
        remarks=[f"{name} is left out: {reason}" for name, reason in scores.left_out.items()],
        parts=scores.bleu_parts,
    )


def _tokens(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[Captions, Captions]:
    require_as_many(captions, references=references)
    flat = iter(tokenize([text for texts in references for text in texts]))
    written = {image: [next(flat) for _ in texts] for image, texts in enumerate(references)}
    if not all(written.values()):
        raise ValueError("an image has no reference")
    if not any(text for texts in written.values() for text in texts):
        raise ValueError("there is not one word in the references")
    return {image: [text] for image, text in enumerate(tokenize(captions))}, written


def _meteor(written: Captions, said: Captions) -> Verdict:
    _require_java()
    scorer = Meteor()
    process = scorer.meteor_p
    try:
        return scorer.compute_score(written, said)
    except (OSError, ValueError) as error:
        raise RuntimeError(f"its Java program has failed ({error})") from error
    finally:
        # After an error it would wait for its own lock when it is thrown away.
        if scorer.lock.locked():
            scorer.lock.release()
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                pipe.close()  # pyright: ignore[reportOptionalMemberAccess]


def _spice(written: Captions, said: Captions) -> Verdict:
    _require_java()
    # Without them, it would try to download half a gigabyte in the middle of a run.
    if not all(path.exists() for path in SPICE_JARS):
        raise RuntimeError(
            f"it needs {JAR}, which `python -m pycocoevalcap.spice.get_stanford_models` downloads"
        )
    with _stdout_as_stderr(), _java_options(SPICE_JAVA_OPTIONS):
        total, parts = Spice().compute_score(written, said)
    return total, [part["All"]["f"] for part in parts]


def _require_java() -> None:
    if shutil.which("java") is None:
        raise RuntimeError("it needs Java, and there is no `java` on this machine")


@contextmanager
def _java_options(options: str) -> Iterator[None]:
    """Gives them to any `java` that is started; Java 8, which needs none, does not look at them."""
    kept = os.environ.get("JDK_JAVA_OPTIONS")
    os.environ["JDK_JAVA_OPTIONS"] = f"{kept} {options}" if kept else options
    try:
        yield
    finally:
        if kept is None:
            del os.environ["JDK_JAVA_OPTIONS"]
        else:
            os.environ["JDK_JAVA_OPTIONS"] = kept


@contextmanager
def _stdout_as_stderr() -> Iterator[None]:
    """Sends even what child processes print elsewhere: standard output is for scores alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def read_references(path: Path) -> dict[int | str, list[str]]:
    """The captions of each image of a file in COCO's format, in its order.

    Raises:
        ValueError: it is not in this format, an image has no caption, or a caption no image.
    """
    content = read_json(path)
    captions = defaultdict(list)
    for row in read_list(path, content, "annotations"):
        captions[field(path, row, "image_id", int, str)].append(field(path, row, "caption", str))
    images = [field(path, row, "id", int, str) for row in read_list(path, content, "images")]
    if odd := set(images) ^ set(captions):
        one = next(iter(odd))
        what = "captions, but is not among the images" if one in captions else "no caption"
        raise ValueError(f"{path}: image {one!r} has {what}")
    return {image: captions[image] for image in images}


def _score_files(arguments: argparse.Namespace) -> dict[str, Any]:
    references = read_references(arguments.references)
    results = read_results(arguments.results, key="image_id", value="caption")
    if arguments.subset:
        references = {image: texts for image, texts in references.items() if image in results}
    hint = "to score those that have one, as a set of their own, say --subset"
    require_match(arguments.results, results, references, hint)
    scores = official_scores([results[image] for image in references], list(references.values()))
    return scores.metrics | {"left_out": scores.left_out}


def main(arguments: Sequence[str] | None = None) -> None:
    """Scores files and prints JSON, as told on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pg_transfer.metrics.captions",
        description="Scores captions; prints the official fractions as JSON.",
    )
    parser.add_argument("--references", type=Path, required=True, help="captions_val2014.json")
    parser.add_argument("--results", type=Path, required=True, help="a list of {image_id, caption}")
    parser.add_argument(
        "--subset", action="store_true", help="score only the images that have a result"
    )
    print_json(_score_files, parser.parse_args(arguments))


if __name__ == "__main__":
    main()

"""The scores of a run so far, in a file that is written line by line."""

from __future__ import annotations

from pathlib import Path

from pg_transfer.reporting.scores_file import SCORES, Score, add_score, read_scores


def test_a_line_that_was_cut_short_is_written_anew(tmp_path: Path) -> None:
    first, second = (Score(step, 4, "val", "accuracy", 10.0 * step) for step in (2, 4))
    add_score(tmp_path, first)
    add_score(tmp_path, second)
    path = tmp_path / SCORES
    path.write_bytes(path.read_bytes()[:-9])  # by a full disk, say
    assert read_scores(tmp_path) == [first]
    add_score(tmp_path, second)  # of the validation that is made up for
    assert read_scores(tmp_path) == [first, second]

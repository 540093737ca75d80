"""Every update is logged once, whatever happens."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pg_transfer.training.metrics_log import MetricsLog


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def filled(folder: Path) -> MetricsLog:
    log = MetricsLog(folder, goes_on=False)
    for step in range(4):
        log.log_metrics({"loss": 0.1 + step}, step)
        if step == 1:
            log.log_metrics({"val/CIDEr": 7.5}, step)
    return log


def test_rows_are_there_at_once(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, goes_on=False)
    log.log_metrics({"loss": 0.1}, 0)
    assert rows(tmp_path) == [{"loss": "0.1", "step": "0"}]
    log.log_metrics({"loss": 0.2}, 1)
    assert (tmp_path / "metrics.csv").read_text() == "loss,step\n0.1,0\n0.2,1\n"
    log.log_metrics({"val/CIDEr": 7.5, "epoch": 0}, 1)
    assert rows(tmp_path)[2] == {"val/CIDEr": "7.5", "epoch": "0", "step": "1"}
    assert (log.rows, log.step) == (3, 1)


def test_what_is_repeated_is_logged_once(tmp_path: Path) -> None:
    assert filled(tmp_path).rows == 5
    log = MetricsLog(tmp_path, goes_on=True)
    log.cut(2, {"loss": 1.1, "lr": 3e-6, "step": 1})  # the validation is going to come again
    assert rows(tmp_path) == [
        {"loss": "0.1", "step": "0"},
        {"loss": "1.1", "step": "1"},
        {"loss": "1.1", "lr": "3e-06", "step": "1"},
    ]
    assert (log.rows, log.step) == (3, 1)
    log.log_metrics({"loss": 2.1}, 2)
    assert len(rows(tmp_path)) == 4
    log.cut(0, None)
    assert not (tmp_path / "metrics.csv").exists()


def test_a_row_that_a_full_disk_cut_short_does_not_count(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "metrics.csv"
    path.write_text(path.read_text() + "0.")
    log = MetricsLog(tmp_path, goes_on=True)
    log.cut(9, None)
    assert log.rows == 5 and rows(tmp_path)[4]["loss"] == "3.1"


@pytest.mark.parametrize("goes_on", [True, False])
def test_the_log_of_another_run_is_not_gone_on_with(tmp_path: Path, goes_on: bool) -> None:
    filled(tmp_path)
    MetricsLog(tmp_path, goes_on=goes_on)
    assert (tmp_path / "metrics.csv").exists() == goes_on


@pytest.mark.parametrize("damaged", ["0.1,0.2,0,9\n", "0.1,x,0\n", ",7.5,x\n"])
def test_a_damaged_log_is_named(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "metrics.csv").write_text(f"loss,val/CIDEr,step\n{damaged}")
    with pytest.raises(ValueError, match=r"metrics\.csv is no log of a run, or a damaged one \("):
        MetricsLog(tmp_path, goes_on=True).numbers()

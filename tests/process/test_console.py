"""What of errors is a user's to read."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch.utils.data import DataLoader

from pg_transfer.process.console import (
    CONSOLE,
    Terminal,
    facts_table,
    quiet_libraries,
    reader_is_gone,
    reports_errors,
    user_message,
)


def test_a_bug_keeps_its_traceback() -> None:
    assert user_message(TypeError("x")) is None
    assert user_message(RuntimeError("x")) is None
    assert user_message(ModuleNotFoundError("x", name="pg_transfer.nowhere")) is None
    assert user_message(ModuleNotFoundError("no wandb", name="wandb")) == "no wandb"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "let this user"),
        (errno.EROFS, "choose a"),
        (errno.ELOOP, "this is a link that leads to itself"),
        (errno.EIO, "the disk, or the network"),
    ],
)
def test_errors_of_the_system_say_what_to_do(number: int, words: str) -> None:
    message = user_message(OSError(number, os.strerror(number), "runs/a"))
    assert message is not None
    assert message.startswith(f"runs/a: {os.strerror(number)}; {words}")


def test_memory_that_has_run_out_is_no_bug() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    for error in (caught.value, MemoryError(), torch.OutOfMemoryError("CUDA out of memory")):
        assert str(user_message(error)).startswith("out of memory: take a smaller number")


def test_arguments_that_do_not_fit_are_the_users_and_a_bug_inside_is_not() -> None:
    for settings, is_told in (
        ({"_target_": "tasks.textvqa.TextVQA", "root": ".", "colour": 1}, True),
        ({"_target_": "tasks.textvqa.TextVQA", "root": 7}, False),
    ):
        with pytest.raises(Exception) as caught:
            instantiate(settings)
        assert (user_message(caught.value) is not None) == is_told


def test_one_line_and_exit_code_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main() -> None:
        raise ValueError("too long")

    with pytest.raises(SystemExit) as ended:
        reports_errors(main)()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "\nerror: too long\n"
    monkeypatch.setenv("PG_TRACEBACK", "1")
    with pytest.raises(ValueError, match="too long"):
        reports_errors(main)()


def test_ctrl_c_before_anything_listens_has_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        reports_errors(main)()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\nstopped by SIGINT\n"


def test_names_in_brackets_are_no_colours() -> None:
    with CONSOLE.capture() as capture:
        CONSOLE.print(facts_table("run", [("folder", str(Path("runs/[red]/x")))]))
    assert "runs/[red]/x" in capture.get()


def test_torch_does_not_repeat_how_many_cores_there_are(
    recwarn: pytest.WarningsRecorder,
) -> None:
    many = (os.cpu_count() or 1) + 1
    warnings.simplefilter("always")
    DataLoader([0], num_workers=many)  # no process starts before it is gone through
    (warning,) = recwarn
    assert f"will create {many} worker processes" in str(warning.message)
    recwarn.clear()
    quiet_libraries()
    DataLoader([0], num_workers=many)
    assert not recwarn.list


@pytest.mark.parametrize("printed", ["plain", "rich"])
def test_a_reader_that_has_seen_enough_ends_a_program_in_silence(
    printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    pipe = os.fdopen(writing, "w")
    assert not reader_is_gone()  # of what is no pipe
    monkeypatch.setattr(sys, "stdout", pipe)
    assert not reader_is_gone()
    os.close(reading)

    def main() -> None:
        if printed == "rich":
            Terminal().print("a line")
        print("a line", flush=True)

    with pytest.raises(SystemExit) as ended:
        reports_errors(main)()
    assert ended.value.code == 141
    pipe.close()  # as Python does at its end: what is left has a place to go
    assert capsys.readouterr().err == ""


def test_another_pipe_that_breaks_is_no_reader() -> None:
    def main() -> None:
        raise BrokenPipeError("of a process of ours")

    with pytest.raises(BrokenPipeError, match="of ours"):
        reports_errors(main)()

"""Who asks a program to stop is obeyed where nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pg_transfer.process.stopping import ASKING, MOMENT_S, Requests, Stopped, queue_again
from tests import ready

ROOT = Path(__file__).parents[2]


def test_a_request_is_obeyed_at_once_or_when_there_is_time() -> None:
    before = [signal.getsignal(one) for one in ASKING]
    with Requests() as requests:
        with pytest.raises(Stopped) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.code == 143
    with Requests() as requests:
        requests.waits = True
        for _ in range(2):  # schedulers repeat themselves
            os.kill(os.getpid(), signal.SIGUSR1)
        assert requests.asked == signal.SIGUSR1
        with pytest.raises(Stopped, match="SIGUSR1"):
            requests.obey()
    with Requests() as requests:
        requests.waits = True
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped) as caught:  # who presses Ctrl-C again cannot wait
            os.kill(os.getpid(), signal.SIGINT)
        assert caught.value.code == 130
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        requests.listen()
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert [signal.getsignal(one) for one in ASKING] == before


# Locks a lock twice outside Python, as deaf as what waits for another process.
DEAF = """
import ctypes, sys
from pg_transfer.process.stopping import Requests
end = lambda stopped: (print("how to go on"), sys.exit(stopped.code))
with Requests(end) as requests, requests.heard_in_a_library(lambda: print("farewell")):
    lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    library.pthread_mutex_lock(lock)
    print("waiting", flush=True)
    library.pthread_mutex_lock(lock)
"""


@pytest.mark.parametrize("asked", ASKING)
def test_a_wait_outside_python_is_ended_as_well(asked: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    time.sleep(0.2)  # until it does
    process.send_signal(asked)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + asked
    assert printed == "farewell\nhow to go on\n"


def test_what_python_hears_is_obeyed_once() -> None:
    ends: list[str] = []
    with (
        pytest.raises(Stopped),
        Requests(lambda stopped: ends.append("end")) as requests,
        requests.heard_in_a_library(lambda: ends.append("farewell")),
    ):
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(MOMENT_S + 0.1)
    assert ends == ["end"] and signal.set_wakeup_fd(-1) == -1


def test_a_job_is_queued_again_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    assert queue_again(["run=a"]) == "not queued again: this is no SLURM job"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert "without run= or --to on its command line" in queue_again(["task=shapes"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "job 7 could not be queued again: " in queue_again(["run=a"])
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$2" = 9_3 ] || { echo "no such job" >&2; exit 1; }\n')
    scontrol.chmod(0o755)
    assert queue_again(["run=a"]) == "job 7 could not be queued again: no such job"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert queue_again(["run=a"]) == "job 9_3 is queued again"


@pytest.mark.slow
def test_real_runs_stop_and_go_on(tmp_path: Path) -> None:
    """Asked before, in and after training, in a validation, and in an evaluation."""
    done = subprocess.run(
        [ready.python(), "-m", "tests.stopped_runs", str(tmp_path)], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

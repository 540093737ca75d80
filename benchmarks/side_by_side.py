"""What the comparisons with transformers share: the models, a process for each side, the report."""

from __future__ import annotations

import copy
import gc
import json
import os
import platform
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from pg_transfer.model.config import LanguageConfig, PaliGemmaConfig, VisionConfig, released
from pg_transfer.model.paligemma import PaliGemma

IMAGE_TOKEN = 257_152
ROWS = 257_216
"""Of transformers' table, which ours is given here too, so that losses are equal."""
SMALL = PaliGemmaConfig(
    vision=VisionConfig(width=384, depth=6, heads=6, mlp=1536),
    language=LanguageConfig(
        width=512, depth=6, mlp=2048, heads=8, kv_heads=1, head_width=64, query_scale=64**-0.5,
        vocabulary=ROWS,
    ),
)  # fmt: skip
"""Small enough for a laptop, with the vocabulary of the real one."""
RESULTS = Path(__file__).parent / "results"
GB = 1e9


def sizes(name: str, resolution: int) -> PaliGemmaConfig:
    """The numbers of "small" or of a released model, with `ROWS` rows."""
    if name == "small":
        return replace(SMALL, vision=replace(SMALL.vision, resolution=resolution))
    config = released(name, resolution=resolution)
    return replace(config, language=replace(config.language, vocabulary=ROWS))


def our_model(config: PaliGemmaConfig, device: str, **options: Any) -> PaliGemma:
    """Ours, from weights that depend on the sizes and the device alone."""
    torch.manual_seed(0)
    with torch.device(device):
        model = PaliGemma(config, **options)
    model.initialise()
    return model


def their_model(config: PaliGemmaConfig, device: str) -> Any:
    """transformers', with the weights of `our_model`."""
    import transformers

    transformers.logging.set_verbosity_error()
    vision, language = config.vision, config.language
    gemma_2 = {
        "query_pre_attn_scalar": round(language.query_scale**-2),
        "attn_logit_softcapping": language.attention_softcap,
        "final_logit_softcapping": None,
    }
    settings = transformers.PaliGemmaConfig(
        text_config={
            "model_type": "gemma2" if language.post_norms else "gemma",
            "hidden_size": language.width,
            "intermediate_size": language.mlp,
            "num_hidden_layers": language.depth,
            "num_attention_heads": language.heads,
            "num_key_value_heads": language.kv_heads,
            "head_dim": language.head_width,
            "vocab_size": language.vocabulary,
            **(gemma_2 if language.post_norms else {}),
        },
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": vision.width,
            "intermediate_size": vision.mlp,
            "num_hidden_layers": vision.depth,
            "num_attention_heads": vision.heads,
            "patch_size": vision.patch,
            "image_size": vision.resolution,
            "vision_use_head": False,
        },
        projection_dim=language.width,
        image_token_index=IMAGE_TOKEN,
        # The fastest that is right: its flash attention lets suffix tokens see those behind them.
        # It has no sdpa for Gemma 2.
        attn_implementation="eager" if language.attention_softcap else "sdpa",
    )
    build = transformers.PaliGemmaForConditionalGeneration
    with torch.device("meta"):  # so that one set of weights is all that is ever there
        model = build(settings)
    model.load_state_dict(our_model(config, device).state_dict(), assign=True)
    model.tie_weights()
    # Buffers that no checkpoint has are the same in a model of one block.
    settings = copy.deepcopy(settings)
    settings.text_config.num_hidden_layers = settings.vision_config.num_hidden_layers = 1
    settings.text_config.vocab_size = 8
    for name, buffer in build(settings).named_buffers():
        owner, _, last = name.rpartition(".")
        model.get_submodule(owner)._buffers[last] = buffer.to(device)
    return model


def their_inputs(config: PaliGemmaConfig, tokens: torch.Tensor) -> torch.Tensor:
    """Text [B, T] behind placeholders of its image, [B, N + T]."""
    shape = (len(tokens), config.vision.image_tokens)
    return torch.cat([tokens.new_full(shape, IMAGE_TOKEN), tokens], dim=1)


class SideError(Exception):
    """A process that measures has ended, or takes too long."""


class Side:
    """A process of its own that does the same over and over, when it is asked to."""

    def __init__(self, script: str, settings: dict[str, Any], *, threads: int) -> None:
        # Threads that wait without turning, or those of a machine that others use, too, would count
        # as work what is but waiting for each other.
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        self._process = subprocess.Popen(
            [sys.executable, script, "--serve", json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, case: dict[str, Any], *, limit: float | None) -> dict[str, Any]:
        """What the next repetition of the case took.

        Raises:
            SideError: nothing, in so many seconds.
        """
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(case) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SideError(f"ended with status {self._process.wait()}") from None
        if not select.select([self._process.stdout], [], [], limit)[0]:
            raise SideError(f"no repetition in {limit:g} s")
        answer = self._process.stdout.readline()
        if not answer:
            raise SideError(f"ended with status {self._process.wait()}")
        return json.loads(answer)

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the process and gives its memory back."""
        if at_once:
            self._process.kill()
        with suppress(BrokenPipeError):
            assert self._process.stdin
            self._process.stdin.close()
        assert self._process.stdout
        self._process.stdout.close()
        self._process.wait()


Repetitions = list[dict[str, Any]]


def measure(
    script: str,
    sides: Sequence[dict[str, Any]],
    cases: Sequence[dict[str, Any]] = ({},),
    *,
    repeats: int,
    threads: int,
    apart: bool,
    limit: float | None = None,
) -> list[list[Repetitions]]:
    """What each repetition of each side took, case by case, a first one for warming up included.

    Repetitions alternate, so that whatever else the machine does meets all sides alike. Of a side
    that fails in a case nothing is answered there; it is told, and costs no other its numbers.

    Args:
        script: serves a side.
        sides: the settings of each.
        cases: further settings of all; one process of each side goes through them.
        repeats: for each side, beside the first.
        threads: of each; only one works at a time.
        apart: one side after the other instead, where memory does not hold them all.
        limit: seconds that a repetition may take, what it takes to prepare for it included.
    """
    found: list[list[Repetitions]] = [[[] for _ in sides] for _ in cases]
    for group in [[n] for n in range(len(sides))] if apart else [list(range(len(sides)))]:
        running: dict[int, Side] = {}
        for case, of_case in zip(cases, found, strict=True):
            left = list(group)
            for number in [number for _ in range(repeats + 1) for number in group]:
                if number not in left:
                    continue
                name = " ".join(map(str, [sides[number].get("side"), *case.values()]))
                if number not in running:
                    running[number] = Side(script, sides[number], threads=threads)
                try:
                    of_case[number].append(taken := running[number].ask(case, limit=limit))
                except SideError as error:
                    print(f"failed: {name}: {error}", file=sys.stderr, flush=True)
                    running.pop(number).stop(at_once=True)
                    of_case[number].clear()
                    left.remove(number)
                    continue
                # At once: should another side fail, this one need not be measured again.
                shown = {key: value for key, value in taken.items() if key != "value"}
                print(name, json.dumps(shown), flush=True)
        for side in running.values():
            side.stop()
    return found


def serve(settings: dict[str, Any], prepare: Callable[[dict[str, Any]], Callable[[], Any]]) -> None:
    """Does what `prepare` returns for a case whenever it comes in, and prints what it took.

    The result is a JSON object: `seconds`; `processor`, seconds of all threads; `gb`, the peak of
    memory, on a GPU from when all was prepared, elsewhere beyond what there was before it; and
    `value`, what was returned.
    """
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    device = settings["device"]
    _load_libraries()
    before = 0 if device == "cuda" else status("VmRSS")
    latest, repeat = "", None
    answers, sys.stdout = sys.stdout, sys.stderr  # where libraries may say what they like
    for line in sys.stdin:
        if line != latest:
            del repeat  # before there is another
            gc.collect()
            latest, repeat = line, prepare(settings | json.loads(line))
            if device == "cuda":  # weights are drawn in float32, and are for a moment there twice
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
        _wait(device)
        start, processor = time.perf_counter(), time.process_time()
        value = repeat()
        _wait(device)
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else status("VmHWM") - before
        row = {"seconds": seconds, "processor": processor, "gb": peak / GB, "value": value}
        print(json.dumps(row), file=answers, flush=True)


def _load_libraries() -> None:
    """Of both sides, so that they weigh the same."""
    from transformers import PaliGemmaForConditionalGeneration  # noqa: F401

    from pg_transfer.training.module import TransferModule  # noqa: F401


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def status(name: str) -> int:
    """Bytes of this process; Linux."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


def require_all(missing: Sequence[str]) -> None:
    """To be called when everything else is written.

    Raises:
        SystemExit: some sides failed, or were not at the same.
    """
    if missing:
        raise SystemExit(f"failed: {'; '.join(missing)}")


def ratio(row: dict[str, Any], ours: dict[str, Any] | None, key: str) -> str:
    """How much of `key` a side takes, ours being 1; no number where ours failed."""
    return "-" if ours is None else f"{row[key] / ours[key]:.2f}"


def write(name: str, table: str, rows: list[dict[str, Any]], *, remarks: Sequence[str]) -> None:
    """Prints the table, and keeps it with the numbers behind it, the machine and the command."""
    facts = {
        "command": " ".join(["python", *sys.argv]),
        "date": date.today().isoformat(),
        "machine": _machine(),
        "versions": {name: _version(name) for name in ("torch", "transformers", "pg_transfer")},
    }
    RESULTS.mkdir(exist_ok=True)
    lines = [table, *remarks, *(f"{key}: {value}" for key, value in facts.items())]
    print("\n" + table)
    (RESULTS / f"{name}.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(
        json.dumps(facts | {"remarks": list(remarks), "rows": rows}, indent=1) + "\n",
        encoding="utf-8",
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

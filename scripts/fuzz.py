"""Feeds damaged and hostile files to everything that reads a file which may have been downloaded.

    python scripts/fuzz.py --inputs 20000            # of each reader
    python scripts/fuzz.py npz answers --seed 7

Whatever comes, a reader may only give a result or raise one of the errors of its docstring. Every
reader runs in a process of its own with bounded memory, so that an abort or a bomb is found, too;
the input that did it is kept.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

EXPECTED = (ValueError, FileNotFoundError, PermissionError)
"""What readers may raise: see `pg_transfer.process.console.USER_ERRORS`."""

MEMORY_BYTES = 6 * 2**30
SLOW_SECONDS = 5.0

NASTY = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 1e308, -0.5, math.inf, -math.inf, math.nan,
    "", " ", "\n", "\0", "..", "../../etc/passwd", "/etc/passwd", "a/b", "\\", "${oc.env:HOME}",
    "<loc0000>", "<seg999>", "<loc0100><loc0100><loc0000><loc0000>", "%s%n", "\ud800", "é" * 300,
    "x" * 5000, "</script>", "12m2", "-5", "99999999999999999999m2", "train", "val",
    [], {}, [[]], [None], [0, 0, 0, 0], [1, 2, 3], {"a": 1}, [{}], {"size": [1, 1], "counts": []},
    {"size": [40, 60], "counts": "o"}, {"_target_": "os.system"}, [[1, 2, 3, 4, 5, 6]],
]  # fmt: skip
BYTES = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"[" * 3000, b'"']


@dataclass(frozen=True)
class Reader:
    """Something to be fed.

    Attributes:
        prepare: writes valid files into a folder and gives the one to damage.
        read: reads what was prepared, given that file.
        plain: from the file's content to what JSON could hold and back, to damage its structure;
            None for bytes alone.
    """

    prepare: Callable[[Path], Path]
    read: Callable[[Path], Any]
    plain: tuple[Callable[[bytes], Any], Callable[[Any], bytes]] | None = None


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")


JSON = (json.loads, as_json)


def damaged(content: bytes, chance: random.Random, reader: Reader) -> bytes:
    """The content with a few faults in its bytes, or in its structure."""
    if reader.plain is not None and chance.random() < 0.75:
        loads, dumps = reader.plain
        value = loads(content)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            value = damaged_value(value, chance)
        return dumps(value)
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(changed) + 1)
        end = min(len(changed), place + chance.choice((1, 2, 4, 8, 64, 1024)))
        match chance.randrange(6):
            case 0:
                changed[place:end] = chance.randbytes(end - place)
            case 1:
                del changed[place:end]
            case 2:
                changed[place:place] = changed[place:end]
            case 3:
                changed[place:end] = chance.choice(BYTES)
            case 4:
                del changed[place:]
            case 5 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def damaged_value(value: Any, chance: random.Random) -> Any:
    """The value with one of its parts, however deep, lost, doubled, or something else."""
    places = list(parts(value, ()))
    *above, last = chance.choice(places) if places else (None,)
    if not places or chance.random() < 0.02:
        return deepcopy(chance.choice(NASTY))
    parent = value
    for key in above:
        parent = parent[key]
    match chance.randrange(5):
        case 0:
            del parent[last]
        case 1 if isinstance(parent, list):
            parent.append(deepcopy(parent[last]))
        case 2:
            donor: Any = value
            for key in chance.choice(places):
                donor = donor[key]
            parent[last] = deepcopy(donor)
        case _:
            parent[last] = deepcopy(chance.choice(NASTY))
    return value


def parts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The path to every part of nested lists and dictionaries."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            yield from parts(value[key], (*path, key))


def feed(name: str, reader: Reader, *, inputs: int, seed: int, folder: Path) -> Counter[str]:
    """Counts of what came of the inputs; anything unexpected is reported and kept in `folder`."""
    chance = random.Random(f"{name} {seed}")
    path = reader.prepare(folder)
    content = path.read_bytes()
    reader.read(path)  # it is valid as it is
    outcomes: Counter[str] = Counter()
    for number in range(inputs):
        path.write_bytes(damaged(content, chance, reader))
        begun = time.perf_counter()
        try:
            reader.read(path)
            outcomes["read"] += 1
        except EXPECTED:
            outcomes["refused"] += 1
        except BaseException as error:
            kind = f"{type(error).__name__} at {where(error)}"
            if f"BUG {kind}" not in outcomes:
                kept = folder / f"bug-{len(outcomes)}-{path.name}"
                shutil.copy(path, kept)
                print(f"\n{name}: {kind}: {error!s:.200}\n  kept as {kept}", flush=True)
            outcomes[f"BUG {kind}"] += 1
        if time.perf_counter() - begun > SLOW_SECONDS:
            shutil.copy(path, folder / f"slow-{number}-{path.name}")
            outcomes["BUG slow"] += 1
    return outcomes


def where(error: BaseException) -> str:
    """The innermost line of ours, to tell bugs apart."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "pg_transfer" in one.filename or "/tasks/" in one.filename]
    last = ours[-1] if ours else frames[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def run(name: str, inputs: int, seed: int, folder: Path, results: Any) -> None:
    """Feeds one reader, in a process of its own."""
    from scripts.fuzz_readers import READERS

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    results.put(dict(feed(name, READERS[name], inputs=inputs, seed=seed, folder=folder)))


def main() -> None:
    from scripts.fuzz_readers import READERS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], help="by default all")
    parser.add_argument("--inputs", type=int, default=1000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    total, bugs = 0, 0
    context = multiprocessing.get_context("fork")
    for name in options.readers or READERS:
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
        results = context.SimpleQueue()
        child = context.Process(
            target=run, args=(name, options.inputs, options.seed, folder, results)
        )
        begun = time.perf_counter()
        child.start()
        child.join()
        outcomes = Counter({"BUG ended by itself": 1}) if child.exitcode else results.get()
        found = sum(count for kind, count in outcomes.items() if kind.startswith("BUG"))
        total, bugs = total + options.inputs, bugs + found
        told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(outcomes.items()))
        print(f"{name}: {told} ({time.perf_counter() - begun:.0f} s)", flush=True)
        if found:
            print(f"  inputs in {folder}", flush=True)
        else:
            shutil.rmtree(folder)
    print(f"{total:,} inputs, {bugs:,} bugs")
    sys.exit(bool(bugs))


if __name__ == "__main__":
    main()

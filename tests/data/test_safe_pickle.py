"""The restricted pickle reader, against hand-assembled opcodes as an attacker would write them."""

from __future__ import annotations

import copyreg
import pickle
import resource
from pathlib import Path

import pytest

from pg_transfer.data.safe_pickle import read_pickle

RECORDS = [
    {"sent_ids": [0, 1], "ok": True, "none": None, "area": 1.5, "pair": (1, "a"), "big": 10**20},
    {"sentences": [{"raw": "café"}], "wide": "日本", "negative": -3},
]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "refs.p"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_reads_plain_records_of_every_protocol(tmp_path, protocol):
    assert read_pickle(written(tmp_path, pickle.dumps(RECORDS, protocol))) == RECORDS


def test_strings_of_python_2_are_latin_1(tmp_path):
    # (lp0 S'caf\xe9' a .  is what Python 2 writes for ['caf\xe9'] with protocol 0,
    # and U (a byte of length, then the bytes) is its protocol 2.
    assert read_pickle(written(tmp_path, b"(lp0\nS'caf\\xe9'\na.")) == ["café"]
    assert read_pickle(written(tmp_path, b"\x80\x02]q\x00U\x04caf\xe9a.")) == ["café"]


ATTACKS = {
    "os.mkdir": b"cos\nmkdir\n(V%s\ntR.",  # GLOBAL, REDUCE
    "posix.mkdir": b"(V%s\niposix\nmkdir\n.",  # INST
    "os.makedirs": b"(cos\nmakedirs\nV%s\no.",  # OBJ
    "shutil.os.mkdir": b"\x80\x04\x8c\x06shutil\x8c\x08os.mkdir\x93V%s\n\x85R.",  # STACK_GLOBAL
    "builtins.exec": b"cbuiltins\nexec\n(Vimport os; os.mkdir('%s')\ntR.",
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_refuses_to_call_anything(tmp_path, kind):
    naive, made = tmp_path / "naive", tmp_path / "made"
    pickle.loads(ATTACKS[kind] % bytes(naive))
    assert naive.is_dir()  # the attack is a real one

    path = written(tmp_path, ATTACKS[kind] % bytes(made))
    with pytest.raises(ValueError, match=rf"refs\.p asks for {kind}, which could run code"):
        read_pickle(path)
    assert not made.exists()


@pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\x00", b"\x84\xf0\x00\x00\x00"])
def test_refuses_registered_extensions_even_after_another_reader_used_them(tmp_path, opcode):
    copyreg.add_extension("os", "mkdir", 240)
    try:
        made = tmp_path / "made"
        attack = b"\x80\x02" + opcode + b"V%s\n\x85R."
        pickle.loads(attack % bytes(tmp_path / "naive"))  # this fills Python's extension cache
        assert (tmp_path / "naive").is_dir()
        with pytest.raises(ValueError, match=r"asks for os\.mkdir"):
            read_pickle(written(tmp_path, attack % bytes(made)))
        assert not made.exists()
    finally:
        copyreg.remove_extension("os", "mkdir", 240)


class Recorder:
    """Stands for any class: made by NEWOBJ, filled by BUILD."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_refuses_instances_of_any_class(tmp_path, protocol):
    instance = Recorder()
    instance.__dict__["state"] = 1
    with pytest.raises(ValueError, match="which could run code"):
        read_pickle(written(tmp_path, pickle.dumps(instance, protocol)))


@pytest.mark.parametrize("content", [b"Pelsewhere\n.", b"\x80\x02U\telsewhereQ."])
def test_refuses_outside_objects(tmp_path, content):
    with pytest.raises(ValueError, match="the outside object 'elsewhere'"):
        read_pickle(written(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>404 not found</html>",
        pickle.dumps(RECORDS, 0)[:-20],
        pickle.dumps(RECORDS, 2)[:-20],
        b"}]]s.",  # a list as a key
        b"R.",
        b"(]]b.",  # BUILD on a list
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a string of 9 exabytes
    ],
)
def test_damaged_files_are_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"refs\.p is no pickle or a damaged one"):
        read_pickle(written(tmp_path, content))


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_pickle(tmp_path / "absent.p")


def test_a_few_bytes_cannot_fill_the_memory(tmp_path):
    # LONG_BINPUT keeps a value under a number of up to 2^32, and room for all numbers below.
    bomb = b"\x80\x02]r\xf0\xff\xff\x7f."
    with pytest.raises(ValueError, match=r"refs\.p is no pickle or a damaged one \(MemoryError"):
        read_pickle(written(tmp_path, bomb))
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert read_pickle(written(tmp_path, pickle.dumps(RECORDS * 1000, 2))) == RECORDS * 1000
    assert resource.getrlimit(resource.RLIMIT_AS) == before

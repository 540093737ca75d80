"""A few hundred of the inputs of scripts/fuzz.py, and bombs that chance does not find."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pg_transfer.model.checkpoint.npz import Archive
from pg_transfer.segmentation.codec import load_codec
from scripts.fuzz import feed
from scripts.fuzz_readers import READERS

# These libraries keep their own counsel on damaged files and are slow at it.
FEWER = {"codec": 5, "npz": 10, "safetensors": 10, "index": 10, "config": 10, "checkpoint": 10,
         "weights": 10, "go_on": 10, "pieces": 10, "rest": 10}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_no_file_does_more_than_it_should(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = feed(name, READERS[name], inputs=FEWER.get(name, 60), seed=1, folder=tmp_path)
    assert not [kind for kind in outcomes if kind.startswith("BUG")]


def zipped(path: Path, member: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return path


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.slow
def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(130):
            file.write(bytes(2**23))
    with pytest.raises(ValueError, match=r"would unpack to 1,090,519,040 bytes from"):
        Archive(path)


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "weights.npz", "a.npy", header((2**40,)) + bytes(100))
    with Archive(path) as archive, pytest.raises(ValueError, match="a ends early"):
        archive.headers()


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    # Version 2.0 of the format has four bytes for the length of its header.
    long = b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"{" + b" " * 200_000
    path = zipped(tmp_path / "weights.npz", "a.npy", long)
    with Archive(path) as archive, pytest.raises(ValueError, match="a is no array of floats"):
        archive.headers()


def test_a_codec_that_unpacks_to_more_than_a_codec_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "codec.npz", "a.npy", header((2**24,)) + bytes(2**26))
    with pytest.raises(ValueError, match="it would unpack to far more"):
        load_codec(path)
    path.write_bytes(bytes(2**26))
    with pytest.raises(ValueError, match="is no mask codec: it has 67,108,864 bytes"):
        load_codec(path)

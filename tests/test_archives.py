"""Archives that would harm whoever unpacks them: none is unpacked; links are refused by name."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer.model.checkpoint.npz import Archive
from pg_transfer.own_data.recognise import recognise
from pg_transfer.segmentation.codec import load_codec
from tasks.custom import Custom

OUTSIDE = "../outside"
NAMES = ("/tmp/{}.png", "../../{}.png", "a/../../{}.png", "./{}.png", "~/{}.png", "c:\\{}.png")
TEXT = json.dumps({"prefix": "colour?", "suffix": "red"}).encode()


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, shade, shade)).save(file, "PNG")
    return file.getvalue()


def tar(path: Path, *members: tuple[str | tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for member, content in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            if info.isreg():
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("form", NAMES)
def test_names_that_lead_elsewhere_are_names_and_nothing_more(form: str, tmp_path: Path) -> None:
    """The pixels are the archive's own, whatever lies where the name leads."""
    folder = tmp_path / "in" / "data"
    folder.mkdir(parents=True)
    for above in (folder, *folder.parents[:2]):
        (above / "0.png").write_bytes(png(200))
    members = [(form.format(number), png(number)) for number in range(3)]
    texts = [(form.format(number).replace(".png", ".json"), TEXT) for number in range(3)]
    before = sorted(tmp_path.rglob("*"))
    task = Custom(tar(folder / "data.tar", *members, *texts))
    examples = [*task.examples("train"), *task.examples("validation")]
    shades = sorted(int(one.images[0]()[0, 0, 0]) for one in examples)  # type: ignore[operator]
    assert shades == [0, 1, 2]
    assert sorted(tmp_path.rglob("*")) == sorted([*before, folder / "data.tar"])


@pytest.mark.parametrize(
    "member",
    [
        special("7.png", tarfile.SYMTYPE, "/etc/passwd"),
        special("7.png", tarfile.SYMTYPE, OUTSIDE),
        special("7.png", tarfile.LNKTYPE, "0.png"),
        special("7.json", tarfile.LNKTYPE, "/etc/passwd"),
        special("7.png", tarfile.CHRTYPE),
        special("7.png", tarfile.BLKTYPE),
        special("7.png", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.type!r}{info.linkname}",
)
def test_links_and_devices_are_refused_by_name(member: tarfile.TarInfo, tmp_path: Path) -> None:
    path = tar(tmp_path / "data.tar", ("0.png", png(0)), ("0.json", TEXT), (member, b""))
    with pytest.raises(ValueError, match=rf"data\.tar, {member.name}: a link or device"):
        recognise(path, metric=None)


def sparse_header(size: int) -> bytes:
    """A member of old GNU tar whose holes would fill `size` bytes."""
    info = special("7.png", tarfile.GNUTYPE_SPARSE)
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:398] = head[398:410] = b"00000000000\0"  # one hole, and then nothing
    head[483:495] = f"{size:011o}".encode() + b"\0"
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head)


def test_a_file_of_holes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    path.write_bytes(sparse_header(8**10) + bytes(1024))
    with pytest.raises(ValueError, match=r"data\.tar, 7\.png: a link or device, not a plain file"):
        recognise(path, metric=None)


def test_a_file_of_holes_in_the_newer_form_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("7.png")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(8**10)}
    with tarfile.open(tmp_path / "data.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(ValueError, match=r"data\.tar, 7\.png: a link or device"):
        recognise(tmp_path / "data.tar", metric=None)


def test_a_member_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("7.png")
    info.size = 8**11
    (tmp_path / "data.tar").write_bytes(info.tobuf() + b"short" + bytes(1024))
    with pytest.raises(ValueError, match=r"data\.tar(, 7\.png: the archive is| ?: not an).*cut"):
        recognise(tmp_path / "data.tar", metric=None)


@pytest.mark.parametrize("name", ["data.tar", "data.tar.gz", "data.tgz"])
def test_a_compressed_archive_is_not_unpacked(name: str, tmp_path: Path) -> None:
    with gzip.open(tmp_path / name, "wb") as file:
        for _ in range(64):
            file.write(bytes(2**20))  # of zeros, a thousandth of them
    with pytest.raises(ValueError, match="not an uncompressed tar file"):
        recognise(tmp_path / name, metric=None)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_archive_among_folders_of_images_is_not_unpacked(tmp_path: Path) -> None:
    for kind in ("cats", "dogs"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        (tmp_path / "data" / kind / "0.png").write_bytes(png(0))
    with zipfile.ZipFile(tmp_path / "data" / "cats" / "more.zip", "w") as archive:
        archive.writestr(f"{OUTSIDE}.png", png(1))
    with pytest.raises(ValueError, match=r"more\.zip: an archive among folders of images"):
        recognise(tmp_path / "data", metric=None)


@pytest.mark.parametrize("name", ["/etc/a.npy", "../../a.npy", "a/../../b.npy"])
def test_arrays_of_such_names_are_read_and_never_written(name: str, tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.ones((2, 3), np.float32))
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content.getvalue())
    key = name.removesuffix(".npy")
    with Archive(path) as opened:
        assert opened.headers()[key].shape == (2, 3)
        ((_, _, block),) = opened.blocks(key, leading=0)
    assert block.sum() == 6
    with pytest.raises(ValueError, match="mask codec"):
        load_codec(path)
    assert [one.name for one in tmp_path.iterdir()] == ["weights.npz"]
    assert not Path("/etc/a.npy").exists()

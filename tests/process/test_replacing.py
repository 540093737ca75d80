"""What is unfinished has a name of its own, and what others left unfinished goes."""

from __future__ import annotations

from pathlib import Path

from pg_transfer.process.replacing import clear_unfinished, new_folder, put


def test_no_save_writes_where_an_earlier_one_did(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    names = set()
    for _ in range(3):
        folder = new_folder(path)
        assert list(folder.iterdir()) == [] and folder.parent == path.parent
        names.add(folder.name)
        put(folder, path)
    assert len(names) == 3 and [one.name for one in path.parent.iterdir()] == ["last.ckpt"]


def test_what_dead_processes_left_goes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    (new_folder(path) / "0.safetensors").write_text("half")
    (tmp_path / "last.ckpt.part").mkdir()  # as earlier versions called it
    kept = [path, tmp_path / "last.ckpt.older", tmp_path / "best.safetensors.part"]
    for one in kept:
        one.write_text("kept")
    clear_unfinished(path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    (tmp_path / "last.ckpt.part").write_text("half")
    folder = new_folder(path)
    assert sorted(tmp_path.iterdir()) == sorted([*kept, folder])

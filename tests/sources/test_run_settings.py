"""A run's saved settings are fit to build from, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pg_transfer.sources.run_settings import CONFIG, MOST_BYTES, parse_settings, read_run_settings

GOOD = {
    "task": {
        "_target_": "tasks.refcoco.RefCOCO", "root": "data",
        "mask_codec": {"_target_": "pg_transfer.segmentation.codec.load_codec", "source": "x.npz"},
    },
    "trainer": {"_target_": "lightning.pytorch.Trainer", "devices": 1},
    "resolution": 224, "recipe": {"lr": 1e-5},
}  # fmt: skip


def run(folder: Path, text: str) -> Path:
    (folder / CONFIG).write_text(text)
    return folder


def test_settings_of_a_run_are_read(tmp_path: Path) -> None:
    settings = read_run_settings(run(tmp_path, yaml.safe_dump(GOOD)))
    assert settings == GOOD and settings.recipe.lr == 1e-5


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "builtins.exec", "subprocess.run",
        "tasks.refcoco.Path", "tasks.refcoco.Path.unlink",  # what a module of ours has imported
        "pg_transfer.process.console.os.system", "pg_transfer.process.whole_files.write_whole",
        "pg_transfer.task.Draw", "tasks.textvqa.nothing", "tasks.nowhere.Nowhere",
        "lightning.pytorch.Trainer.fit", "", None, 7, ["os.system"], {"_target_": "os.system"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["task", "trainer", "deep", "list"])
def test_whatever_could_run_code_is_refused(tmp_path: Path, target: object, place: str) -> None:
    settings = {name: dict(value) if isinstance(value, dict) else value
                for name, value in GOOD.items()}  # fmt: skip
    node = {"_target_": target}
    match place:
        case "deep":
            settings["task"]["mask_codec"] = node  # type: ignore[index]
        case "list":
            settings["callbacks"] = [[node]]
        case _:
            settings[place] = node
    with pytest.raises(ValueError, match=r"_target_=.* is no task of this project"):
        read_run_settings(run(tmp_path, yaml.safe_dump(settings)))


def test_a_users_own_class_is_allowed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(tmp_path, yaml.safe_dump({"task": {"_target_": "mine.boxes.Boxes"}}))
    with pytest.raises(ValueError, match=r"set PG_TRUST=mine\.boxes\.Boxes in the environment"):
        read_run_settings(folder)
    monkeypatch.setenv("PG_TRUST", "other.Thing mine.boxes.Boxes")
    assert read_run_settings(folder).task._target_ == "mine.boxes.Boxes"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("task: {root: '${oc.env:HOME}'}", r"task\.root=\$\{oc\.env:HOME\} would be looked up"),
        ("a: &a [1, 2]\nb: *a", "it repeats parts of itself"),
        ("a: !!python/object/apply:os.system [id]", "python/object/apply"),
        ("- 1", "it is no table"),
        ("a: [1", "while parsing a flow sequence"),
        ("[" * 5000, "holds no settings"),
        ("a: '\0'", "holds no settings"),
        ("#" * (MOST_BYTES + 1), "it is larger than 1,048,576 bytes"),
        ("[" * 2**20, "it has more than 1,000 brackets"),
    ],
)
def test_files_that_are_no_settings_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"config.yaml holds no settings of a run.*{complaint}|"
                                         f"config.yaml {complaint}"):  # fmt: skip
        read_run_settings(run(tmp_path, text))


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
    folder = run(tmp_path, f"l0: &l0 [lol]\n{levels}\n")  # 9^11 words
    with pytest.raises(ValueError, match="YAML aliases"):
        read_run_settings(folder)


def test_settings_to_compare_with_may_name_anything(tmp_path: Path) -> None:
    run(tmp_path, "task: {_target_: mine.boxes.Boxes}")
    assert parse_settings(tmp_path / CONFIG).task._target_ == "mine.boxes.Boxes"


@pytest.mark.slow
def test_every_configuration_of_ours_passes(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    from tests.test_conf import composed

    for trainer in sorted((Path(__file__).parents[2] / "conf/trainer").glob("*.yaml")):
        for task in ("shapes", "refcoco", "textvqa", "coco_captions", "rsvqa_lr", "rsvqa_hr"):
            config = composed(f"task={task}", f"trainer={trainer.stem}")
            OmegaConf.save(OmegaConf.create(OmegaConf.to_container(config, resolve=True)),
                           tmp_path / CONFIG)  # fmt: skip
            read_run_settings(tmp_path)

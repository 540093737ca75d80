"""What may stand for a parameter of a task, by its annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pg_transfer.running.task_settings import require_fitting, task_class
from pg_transfer.task import Answer, Example, Scores, Task

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Typed(Task):
    """Takes a setting of each kind."""

    def __init__(
        self,
        root: str | Path,
        *,
        share: float = 1.0,
        count: int | None = None,
        is_on: bool = False,
        order: Literal["up", "down"] = "up",
        names: Sequence[str] = (),
        columns: Mapping[str, str] | None = None,
        codec: Any = None,
    ) -> None:
        self.root = root

    def examples(self, split: str) -> Sequence[Example]:
        return []

    def score(self, answers: Sequence[Answer]) -> Scores:
        return Scores({}, [])


class Untold(Typed):
    """Has an annotation that is not there when it runs."""

    def __init__(self, root: Unknown) -> None:
        super().__init__(root)


class Open(Typed):
    """Takes whatever it is given."""

    def __init__(self, **settings: Any) -> None:
        super().__init__("")


TARGET = f"{__name__}.Typed"


@pytest.mark.parametrize(
    "settings",
    [
        {"share": 2}, {"share": 0.5}, {"count": None}, {"count": 3}, {"is_on": True},
        {"order": "down"}, {"names": ["a"]}, {"names": []}, {"columns": {"a": "b"}},
        {"columns": None}, {"codec": 3}, {"codec": {"_target_": "x"}},
        {"names": {"_target_": "x"}}, {"_partial_": True},
    ],
)  # fmt: skip
def test_what_fits(settings: dict) -> None:
    require_fitting({"_target_": TARGET, "root": "data"} | settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"root": None}, r"task\.root=None is no text$"),
        ({"root": 3}, r"task\.root=3 is no text; a text that looks like a number needs quotes"),
        ({"share": True}, r"task\.share=True is no number$"),
        ({"share": "1"}, r"task\.share='1' is no number$"),
        ({"count": 1.5}, r"task\.count=1\.5 is no whole number$"),
        ({"is_on": 1}, r"task\.is_on=1 is no switch \(true or false\)$"),
        ({"order": "left"}, r"task\.order='left' is no 'up' or 'down'$"),
        ({"names": "a"}, r"task\.names='a' is no list of texts$"),
        ({"names": [1]}, r"task\.names=\[1\] is no list of texts$"),
        ({"columns": {"a": None}}, r"task\.columns=\{'a': None\} is no table of texts$"),
        ({"colour": 1}, r"there is no setting task\.colour; Typed takes root, share, count"),
        ({"_target_": "tasks.none.None_"}, r"tasks\.none\.None_: there is no tasks/none\.py"),
        ({"_target_": "mine"}, r"task\._target_=mine: there is no such subclass of Task"),
        ({"_target_": "os.system"}, r"task\._target_=os\.system: there is no such subclass"),
        ({"_target_": None}, r"names no class of a task as its _target_"),
        ({"components": {"b": {"task": {"_target_": "a.B"}}}}, r"task\.components\.b\.task\._t"),
    ],
)
def test_what_does_not(settings: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        require_fitting({"_target_": TARGET, "root": "data"} | settings)


def test_what_a_class_needs_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"Typed needs the setting task\.root: \+task\.root="):
        require_fitting({"_target_": TARGET})


def test_what_cannot_be_looked_up_is_left_to_the_class() -> None:
    require_fitting({"_target_": f"{__name__}.Untold", "root": 3})
    require_fitting({"_target_": f"{__name__}.Open", "colour": "red"})


def test_a_library_that_a_task_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("import no_such_library\n")
    (tmp_path / "ours.py").write_text("import pg_transfer.gone\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"lacking cannot be imported: .*no_such_library"):
        task_class("lacking.Task")
    with pytest.raises(ImportError):  # a bug, which keeps its traceback
        task_class("ours.Task")

"""Where the settings, the tasks and the programs lie that belong to this package."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Of the project: the folder of `conf/`, `tasks/`, `train.py` and `evaluate.py`."""
CONF = ROOT / "conf"


def typed(program: str) -> list[str]:
    """What to type for `train` or `evaluate`: by its file in the project's folder, else by name."""
    file = f"{program}.py"
    return ["python", file] if Path.cwd() == ROOT else ["pg-transfer", program]

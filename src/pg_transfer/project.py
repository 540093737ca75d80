"""Where the settings, the tasks and the programs lie that belong to this package."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Of the project: the folder of `conf/`, `tasks/`, `train.py` and `evaluate.py`."""
CONF = ROOT / "conf"

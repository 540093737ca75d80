"""Where the settings, the tasks and the programs lie that belong to this package."""

from __future__ import annotations

from pathlib import Path

_CLONE = Path(__file__).parents[2]
_SHIPPED = Path(__file__).parent / "shipped"

ROOT = _CLONE if (_CLONE / "conf" / "train.yaml").is_file() else _SHIPPED
"""The folder of `conf/`, `tasks/`, `train.py` and `evaluate.py`: the clone that this is part of, or
what a wheel brings along."""
CONF = ROOT / "conf"

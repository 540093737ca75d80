"""LoRA and its relatives on our plain PaliGemma, through PEFT; no Lightning.

`attach` puts small matrices beside the linear layers of some parts, which alone learn; at the start
they change nothing. `merge` adds them to the weights. `save_portable` and `load_portable` exchange
them with transformers.
"""

from pg_transfer.adapters.attach import (
    KINDS,
    PARTS,
    AdapterSettings,
    attach,
    is_adapter,
    is_target,
    merge,
    part_of,
)
from pg_transfer.adapters.four_bit import compute_in
from pg_transfer.adapters.portable import base_of, load_portable, save_portable

__all__ = [
    "KINDS",
    "PARTS",
    "AdapterSettings",
    "attach",
    "base_of",
    "compute_in",
    "is_adapter",
    "is_target",
    "load_portable",
    "merge",
    "part_of",
    "save_portable",
]

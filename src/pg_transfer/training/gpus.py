"""What GPUs there are, and what they compute in."""

from __future__ import annotations

import torch


def gpu_count() -> int:
    """GPUs of this machine that torch can use."""
    return torch.cuda.device_count()


def has_bfloat16() -> bool:
    """Whether there is a GPU that computes in bfloat16, and does not only emulate it."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)

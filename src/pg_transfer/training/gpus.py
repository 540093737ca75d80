"""What GPUs there are, and what they compute in."""

# Torch takes seconds to import, and settings are composed where nothing is computed (`--help`).


def gpu_count() -> int:
    """GPUs of this machine that torch can use."""
    import torch

    return torch.cuda.device_count()


def has_bfloat16() -> bool:
    """Whether there is a GPU that computes in bfloat16, and does not only emulate it."""
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)

"""The fixture that these tests share."""

from tests.short_runs import train

__all__ = ["train"]

"""Pixels to another size, exactly as TensorFlow does it (big_vision pp/ops_image.py)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

STRIP = 2**17
"""Values of an image that are resized at once: what a core keeps at hand."""


def resize_frames(frames: Iterable[np.ndarray], side: int, *, antialias: bool) -> list[np.ndarray]:
    """Frames of a video, uint8 [H, W, 3], each as float32 [R, R, 3] from 0 to 255.

    What lies between two grey levels is kept, where `resize` truncates images (big_vision
    pp/proj/paligemma/video.py).
    """
    return [resize(frame.astype(np.float32), side, antialias=antialias) for frame in frames]


def resize(pixels: np.ndarray, size: int | tuple[int, int], *, antialias: bool) -> np.ndarray:
    """`tf.image.resize(pixels, size)`, bilinear, half-pixel centres, in the dtype it came in.

    Args:
        pixels: uint8 or float32, [H, W] or [H, W, C].
        size: height and width of the result, or one number for a square.
        antialias: widen the filter when shrinking; without it only the two nearest rows and columns
            count, however much is skipped between them.

    Returns:
        The dtype of `pixels`: uint8 truncated, not rounded; float32 as computed. The very same
        array if it has that size already.

    Raises:
        ValueError: another dtype, or an empty input or output.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if pixels.dtype not in (np.uint8, np.float32):
        raise ValueError(f"resize takes uint8 or float32, not {pixels.dtype}")
    if min(*pixels.shape[:2], height, width) < 1:
        raise ValueError(f"cannot resize {pixels.shape[:2]} to {(height, width)}: no pixels")
    if pixels.shape[:2] == (height, width):
        return pixels
    resize_strip = _filter if antialias else _interpolate
    old = pixels.reshape(*pixels.shape[:2], -1)
    new = np.empty((height, width, old.shape[2]), pixels.dtype)
    step = max(1, STRIP // (max(old.shape[1], width) * old.shape[2]))
    for first in range(0, height, step):
        strip = resize_strip(old, height, width, slice(first, first + step))
        new[first : first + step] = strip.clip(0, 255) if new.dtype == np.uint8 else strip
    return new.reshape(height, width, *pixels.shape[2:])


# The two kernels differ in which direction comes first, and float32 sums depend on it. Either way
# what is summed lies in whole lines of memory: columns are turned into rows and back.


def _interpolate(old: np.ndarray, height: int, width: int, rows: slice) -> np.ndarray:
    """Those rows of the result, each between two old ones (TensorFlow resize_bilinear_op.cc)."""
    lower, upper, fraction = (each[rows] for each in _neighbours(old.shape[0], height))
    needed = np.unique([lower, upper])
    columns = np.ascontiguousarray(old.take(needed, axis=0).transpose(1, 2, 0)).astype(np.float32)
    wide = _between(columns, *_neighbours(old.shape[1], width))
    lines = np.ascontiguousarray(wide.transpose(2, 0, 1))
    return _between(lines, needed.searchsorted(lower), needed.searchsorted(upper), fraction)


def _between(
    lines: np.ndarray, lower: np.ndarray, upper: np.ndarray, fraction: np.ndarray
) -> np.ndarray:
    first = lines.take(lower, axis=0)
    result = lines.take(upper, axis=0)
    result -= first
    result *= fraction[:, None, None]
    result += first
    return result


def _filter(old: np.ndarray, height: int, width: int, rows: slice) -> np.ndarray:
    """Those rows of the result, each a weighted sum of old ones (scale_and_translate_op.cc)."""
    sources, weights = (each[:, rows] for each in _triangle(old.shape[0], height))
    start, stop = sources.min(), sources.max() + 1
    tall = _weighted_sum(old[start:stop].astype(np.float32), sources - start, weights)
    columns = np.ascontiguousarray(tall.transpose(1, 2, 0))
    return _weighted_sum(columns, *_triangle(old.shape[1], width)).transpose(2, 0, 1)


def _weighted_sum(lines: np.ndarray, sources: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.zeros((sources.shape[1], *lines.shape[1:]), np.float32)
    for source, weight in zip(sources, weights, strict=True):
        term = lines.take(source, axis=0)
        term *= weight[:, None, None]
        total += term
    return total


@lru_cache(maxsize=1024)
def _neighbours(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `new` places the old index below and above, and how far it lies between."""
    scale = np.float32(old) / np.float32(new)
    place = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    below = np.floor(place)
    lower = np.maximum(below, 0).astype(np.int64)
    upper = np.minimum(np.ceil(place), old - 1).astype(np.int64)
    return lower, upper, place - below


@lru_cache(maxsize=1024)
def _triangle(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Old indices and their weights, both [taps, new], of a triangle as wide as `old / new`."""
    step = np.float32(1 / float(np.float32(new) / np.float32(old)))
    radius = max(step, np.float32(1))
    centre = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * step
    first = np.ceil(centre - radius - np.float32(0.5)).clip(0, old - 1).astype(np.int64)
    last = np.floor(centre + radius - np.float32(0.5)).clip(0, old - 1).astype(np.int64)
    sources = first + np.arange((last - first).max() + 1)[:, None]
    distance = np.abs(sources.astype(np.float32) + np.float32(0.5) - centre)
    weights = np.maximum(np.float32(1) - distance * (np.float32(1) / radius), np.float32(0))
    weights[sources > last] = 0
    total = np.zeros(new, np.float32)
    for weight in weights:  # one by one: np.sum may add in another order
        total += weight
    return np.minimum(sources, old - 1), weights * (np.float32(1) / total)

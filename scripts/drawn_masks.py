"""Random filled outlines, without end: what a mask codec can learn from when it has no data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw

Outline = np.ndarray
"""Corners of a closed polygon: float [n, 2], x and y, any scale."""

Family = Callable[[np.random.Generator], Outline]


def _polar(angles: np.ndarray, radii: np.ndarray | float) -> Outline:
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _turns(count: int) -> np.ndarray:
    return np.arange(count) * (2 * np.pi / count)


def ellipse(rng: np.random.Generator) -> Outline:
    """A circle, until it is stretched."""
    return _polar(_turns(72), 1.0)


def rectangle(rng: np.random.Generator) -> Outline:
    """A square, until it is stretched."""
    return np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)


def triangle(rng: np.random.Generator) -> Outline:
    """An even one, or any."""
    if rng.random() < 0.5:
        return _polar(_turns(3) - np.pi / 2, 1.0)
    return rng.uniform(-1, 1, (3, 2))


def star(rng: np.random.Generator) -> Outline:
    """Of 4 to 8 points, blunt or sharp."""
    points = int(rng.choice([4, 5, 5, 5, 6, 7, 8]))
    radii = np.where(np.arange(2 * points) % 2, rng.uniform(0.3, 0.75), 1.0)
    return _polar(_turns(2 * points) - np.pi / 2, radii)


def regular(rng: np.random.Generator) -> Outline:
    """A regular polygon of 4 to 8 corners."""
    return _polar(_turns(int(rng.integers(4, 9))) - np.pi / 2, 1.0)


def cross(rng: np.random.Generator) -> Outline:
    """Two bars of their own thickness each."""
    a, b = rng.uniform(0.15, 0.5, 2)
    corners = [(a, 1), (a, b), (1, b), (1, -b), (a, -b), (a, -1)]
    return np.array(corners + [(-x, -y) for x, y in corners], dtype=float)


def moon(rng: np.random.Generator) -> Outline:
    """Between a half circle and its inner arc: a half-moon when the inner one is flat."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 40)
    bulge = rng.choice([0.0, rng.uniform(-0.6, 0.85)])
    outer, inner = _polar(angles, 1.0), _polar(angles[::-1], 1.0)
    return np.concatenate([outer, inner * [bulge, 1]])


def sector(rng: np.random.Generator) -> Outline:
    """A piece of a pie, or the pie without the piece."""
    angles = np.linspace(0, rng.uniform(0.5, 6.0), 50)
    return np.concatenate([[[0, 0]], _polar(angles, 1.0)])


def smooth(rng: np.random.Generator) -> Outline:
    """A circle disturbed by a few slow waves."""
    angles, waves = _turns(96), np.arange(1, 8)
    strength = rng.normal(size=7) * rng.uniform(0.1, 0.9) / waves ** rng.uniform(0.5, 1.5)
    phases = rng.uniform(0, 2 * np.pi, 7)
    radii = np.exp((strength * np.cos(np.outer(angles, waves) + phases)).sum(1))
    return _polar(angles, radii)


def jagged(rng: np.random.Generator) -> Outline:
    """Corners at random distances all around a centre."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 24))))
    return _polar(angles, rng.uniform(rng.uniform(0.15, 0.8), 1, len(angles)))


def staircase(rng: np.random.Generator) -> Outline:
    """Straight walls and right angles: the letters L, T, U and their kin."""
    steps = int(rng.integers(2, 6))
    edges = np.repeat(np.linspace(0, 1, steps + 1), 2)[1:-1]
    top = np.repeat(rng.uniform(0.1, 1, steps), 2)
    bottom = -np.repeat(rng.uniform(0, 1, steps) * rng.integers(0, 2), 2)
    return np.concatenate([np.stack([edges, top], 1), np.stack([edges, bottom], 1)[::-1]])


def limb(rng: np.random.Generator) -> Outline:
    """A bent band of changing thickness."""
    bends = np.cumsum(rng.normal(0, 0.35, 24)) * rng.uniform(0.2, 1) + rng.uniform(0, 6.3)
    spine = np.cumsum(_polar(bends, 1 / 24), axis=0)
    half = np.interp(np.linspace(0, 1, 24), np.linspace(0, 1, 4), rng.uniform(0.03, 0.2, 4))
    side = _polar(bends + np.pi / 2, half)
    return np.concatenate([spine + side, (spine - side)[::-1]])


def shard(rng: np.random.Generator) -> Outline:
    """A few corners scattered at random, joined in turn around their middle."""
    corners = rng.normal(size=(int(rng.integers(4, 8)), 2))
    away = corners - corners.mean(0)
    return corners[np.argsort(np.arctan2(away[:, 1], away[:, 0]))]


def arrow(rng: np.random.Generator) -> Outline:
    """A shaft with a head."""
    neck, shaft = rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.35)
    half = [(0, shaft), (neck, shaft), (neck, rng.uniform(0.4, 0.8)), (1, 0)]
    return np.array(half + [(x, -y) for x, y in half[-2::-1]])


def heart(rng: np.random.Generator) -> Outline:
    """Two lobes above a point."""
    t = _turns(80)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - rng.uniform(0, 2) * np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], axis=1)


def gear(rng: np.random.Generator) -> Outline:
    """A disc with 6 to 12 teeth."""
    teeth = int(rng.integers(6, 13))
    radii = np.where(np.arange(4 * teeth) % 4 < 2, 1.0, rng.uniform(0.65, 0.85))
    return _polar(_turns(4 * teeth), radii)


TRAINING: tuple[Family, ...] = (
    ellipse,
    rectangle,
    triangle,
    star,
    regular,
    cross,
    moon,
    sector,
    smooth,
    smooth,
    jagged,
    staircase,
    limb,
)
"""What the codec learns from; what stands twice is drawn twice as often."""

HELD_OUT: tuple[Family, ...] = (shard, arrow, heart, gear)
"""What it is judged on, and never sees."""


def place(outline: Outline, rng: np.random.Generator) -> Outline:
    """`outline` turned, as often squarely as freely, stretched and fitted into 0..1 squared."""
    angle = rng.choice([0.0, rng.integers(4) * np.pi / 2, *rng.uniform(0, 2 * np.pi, 2)])
    stretch = np.array([1.0, np.exp(rng.choice([0.0, rng.normal(0, 0.5)]))])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = outline * stretch @ turn
    low, high = turned.min(0), turned.max(0)
    return (turned - low) / np.maximum(high - low, 1e-3).max()


def scene(families: tuple[Family, ...], rng: np.random.Generator) -> Callable[[int], np.ndarray]:
    """A random shape, sometimes two joined, sometimes with a hole, to be drawn at any size.

    Returns:
        A function of the size in pixels that draws the mask, bool [H, W], its edges touched.
    """
    first = _random_shape(families, rng)
    parts = [(first, ImageChops.lighter)]
    lot = rng.random()
    if lot < 0.15:
        other = _random_shape(families, rng) * rng.uniform(0.3, 1) + rng.uniform(0, 0.6, 2)
        parts.append((other, ImageChops.lighter))
    elif lot < 0.3:
        parts.append((_hole(first, families, rng), ImageChops.subtract))

    def draw(side: int) -> np.ndarray:
        canvas = int(1.7 * side) + 3
        picture = Image.new("L", (canvas, canvas))
        for outline, combine in parts:
            combined = combine(picture, _fill(outline, side, canvas))
            # A hole that would leave nothing is not made.
            picture = combined if combined.getbbox() else picture
        return np.asarray(picture.crop(picture.getbbox())) > 0

    return draw


def _random_shape(families: tuple[Family, ...], rng: np.random.Generator) -> Outline:
    return place(families[rng.integers(len(families))](rng), rng)


def _hole(shape: Outline, families: tuple[Family, ...], rng: np.random.Generator) -> Outline:
    """The same shape or another, smaller, and in its middle or not far from it."""
    if rng.random() < 0.5:
        hole, shift = shape, np.zeros(2)
    else:
        hole, shift = _random_shape(families, rng), rng.uniform(-0.2, 0.2, 2)
    size = rng.uniform(0.2, 0.8)
    return hole * size + (shape.max(0) - hole.max(0) * size) / 2 + shift


def _fill(outline: Outline, side: int, canvas: int) -> Image.Image:
    picture = Image.new("L", (canvas, canvas))
    corners = [(float(x), float(y)) for x, y in outline * side + 1]
    ImageDraw.Draw(picture).polygon(corners, fill=255)
    return picture

"""Whether a row has all the objects that its request asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pg_transfer.own_data.maker import asks_for_objects
from pg_transfer.segmentation.scenes import Scene
from pg_transfer.task import Example


def require_all_objects(
    splits: Mapping[str, Sequence[Example]], places: Mapping[tuple[str, str], str]
) -> None:
    """Raises ValueError if two rows ask for the same objects of an image, and have other ones.

    Each would teach, and be scored by, a part of the answer alone. Referring expressions, and
    objects without labels, are let be: one expression may mean several.

    Args:
        splits: examples with a scene, or without an answer.
        places: by split and id where their rows stand.
    """
    for split, examples in splits.items():
        first: dict[tuple[object, str], Example] = {}
        for one in examples:
            scene: Scene | None = one.reference
            if not asks_for_objects(one.prefix) or scene is None or not any(scene.labels):
                continue
            other = first.setdefault((one.image, one.prefix), one)
            if other is not one and _named(other.reference) != _named(scene):
                raise ValueError(
                    f"{places[split, one.id]}: this image has a row already "
                    f"({places[split, other.id]}), which asks {one.prefix!r:.80}, too, and has "
                    f"other objects. An image has one row with all of its objects, "
                    f"boxes=[[...], [...]] and labels=[..., ...]; or one for each, if the numbers "
                    f"of its box are in four columns: 'columns={{boxes: [xmin, ymin, xmax, ymax]}}'"
                )


def _named(scene: Scene) -> list[tuple[object, str]]:
    return sorted((thing.box, thing.label) for thing in scene.things)

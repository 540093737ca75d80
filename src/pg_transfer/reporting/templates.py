"""Pages with places to fill: `@@NAME@@`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile("@@[A-Z]+@@")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with a part in each of its places.

    All at once: what looks like a place in a part stays as it is.

    Args:
        template: a page.
        parts: for each place its HTML.
    """
    return _PLACE.sub(lambda place: parts[place[0]], template)

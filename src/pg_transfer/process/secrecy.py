"""Keeps passwords and tokens out of what a run prints and saves.

Settings are saved in the run's folder and sent to trackers, so a secret among them is refused;
where one may still turn up, as in a library's message, it is blotted out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAME = re.compile(
    r"(^|[_-])(token|password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|credentials?|auth)($|[_-](id|key|value)$)",
    re.IGNORECASE,
)
_QUERY = ("token", "access_token", "api_key", "apikey", "key", "password", "secret", "sig",
          "signature", "X-Amz-Signature", "X-Amz-Credential", "X-Goog-Signature")  # fmt: skip
# Of the Hub, of GitHub, of OpenAI's kind, of Amazon; and in an address a password, a name that is
# a token, or a part of its query.
_FORM = re.compile(
    r"\bhf_[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{16}\b"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=https://)[^/\s:@]+(?=@)|(?<=http://)[^/\s:@]+(?=@)|"
    + "|".join(rf"(?<=[?&](?i:{name})=)[^&#\s'\"]+" for name in _QUERY)
)
LEAST_LENGTH = 8
"""Of a value in the environment, to be looked for in texts: shorter ones are in every text."""

BLOT = "***"


def refuse_secrets(settings: Mapping[str, Any]) -> None:
    """Raises ValueError if one of the resolved settings is a secret, without showing it."""
    hidden = _in_environment()
    for name, value in _leaves(settings):
        text = str(value)
        is_named = value not in (None, "", False) and _NAME.search(name.rpartition(".")[2])
        if is_named or _FORM.search(text) or any(secret in text for secret in hidden):
            raise ValueError(
                f"the setting {name} looks like a secret, and settings are saved with the run: "
                f"give it in the environment instead, such as HF_TOKEN or WANDB_API_KEY, or log in "
                f"with `hf auth login` or `wandb login`"
            )


def refuse_typed_secrets(arguments: Sequence[str]) -> None:
    """The same for a command line of settings, which sweeps and trackers save as it is typed."""
    typed = (one.partition("=") for one in arguments)
    refuse_secrets({name.lstrip("+~"): value for name, _, value in typed})


def without_secrets(text: str) -> str:
    """The text with every secret of the environment, and what has the form of one, blotted out."""
    for secret in _in_environment():
        text = text.replace(secret, BLOT)
    return _FORM.sub(BLOT, text)


def _in_environment() -> list[str]:
    found = [
        value
        for name, value in os.environ.items()
        if _NAME.search(name) and len(value) >= LEAST_LENGTH and not os.path.exists(value)  # noqa: PTH110
    ]
    return sorted(found, key=len, reverse=True)  # one may be a part of another


def _leaves(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _leaves(value, path)
    else:
        yield path, settings

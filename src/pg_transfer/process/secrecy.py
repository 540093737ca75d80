"""Keeps passwords and tokens out of what a run prints and saves.

Settings are saved in the run's folder and sent to trackers, so a secret among them is refused;
where one may still turn up, as in a library's message, it is blotted out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Names are read word by word: OPENAI_KEY, api-key, accessToken, HF_TOKEN_2.
_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])")
_SECRET_WORD = re.compile(
    r"KEYS?|PASS|PWD|PAT|BEARER|AUTH|AUTHORIZATION"
    # Other words end so as well, which are written together: PGPASSWORD, authtoken. PASS is in
    # SSHPASS, but in bypass and compass, too.
    r"|.*(PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|CREDENTIAL|APIKEY|ACCESSKEY|SECRETKEY"
    r"|PRIVATEKEY)S?|(SSH|DB|PG|SMTP|FTP|USER|ROOT)PASS"
)
_PASSWORD = re.compile(r".*(PASSWORD|PASSWD|PASSPHRASE|PASS|PWD)S?")
_PLURAL = {"KEYS", "TOKENS", "SECRETS", "CREDENTIALS"}
"""Which a number counts."""
_KEY = {"KEY", "KEYS"}
_OTHER_KEYS = {
    "GPG", "PGP", "PUBLIC", "PUB", "HOST", "SORT", "PRIMARY", "FOREIGN", "EXCLUDE", "COLUMN",
    "IMAGE", "TEXT", "LABEL", "ANSWER",
}  # fmt: skip
"""Before the word key, what opens nothing."""
_BESIDE = {
    "SOCK", "SOCKET", "FILE", "PATH", "DIR", "FOLDER", "URL", "URI", "HOST", "TYPE", "METHOD",
    "MODE", "NAME", "USER", "USERNAME", "LENGTH", "LIMIT", "SIZE", "COUNT", "PADDING", "EXPIRY",
}  # fmt: skip
"""As the last word: what is told of a secret, such as where it lies."""
_FOLDERS = {"PWD", "OLDPWD"}
"""Of every shell."""

_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE)
_SWITCHES = {"true", "false", "null", "none"}

# What services give out begins as no other word does: of the Hub, GitHub, GitLab, OpenAI's kind,
# npm, Slack, Google and Amazon, and signed tokens of three parts (JWT). In headers what
# follows their kind, and in an address a password, or a name that is a token.
_FORM = re.compile(
    r"\b(?:hf_oauth_[\w.-]{16,}|(?:hf|gh[pousr]|npm)_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|(?:sk|glpat)-[\w-]{20,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|A[KS]IA[A-Z0-9]{16}\b"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)"
    r"|(?<=\b(?i:bearer) )(?:(?=\D*\d)[\w.~+/=-]{8,}|[\w.~+/=-]{20,})"
    r"|(?<=(?i:authorization: basic) )\S+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=https://)[^/\s:@]+(?=@)|(?<=http://)[^/\s:@]+(?=@)",
    re.ASCII,
)
_QUERY = re.compile(r"([?&#]([\w.-]+)=)([^&#\s'\"]+)")
_SIGNATURE = {"SIG", "SIGNATURE"}
"""What opens an address to whoever has it: in its query, beside the words above."""

LEAST_LENGTH = 8
"""Of a value in the environment, to be looked for in texts: shorter ones are in every text."""

BLOT = "***"


def refuse_secrets(settings: Mapping[str, Any]) -> None:
    """Raises ValueError if one of the resolved settings is a secret, without showing it."""
    hidden = _in_environment()
    for name, value in _leaves(settings):
        if _is_given_as_secret(name.rpartition(".")[2], value) or _holds(str(value), hidden):
            raise ValueError(
                f"the setting {name} looks like a secret, and settings are saved with the run: "
                f"give it in the environment instead, such as HF_TOKEN or WANDB_API_KEY, or log in "
                f"with `hf auth login` or `wandb login`"
            )


def refuse_typed_secrets(arguments: Sequence[str]) -> None:
    """The same for a command line of settings, which sweeps and trackers save as it is typed."""
    typed = (one.partition("=") for one in arguments)
    refuse_secrets({name.lstrip("+~"): value for name, _, value in typed})


def secret_among(texts: Iterable[str]) -> int | None:
    """The place of the first text that holds a secret, as `without_secrets` sees it; None of none.

    It may be shown with that text's place, but not the text itself.
    """
    hidden = _in_environment()
    return next((place for place, text in enumerate(texts) if _holds(text, hidden)), None)


def without_secrets(text: str) -> str:
    """The text with every secret of the environment, and what has the form of one, blotted out."""
    for secret in _in_environment():
        text = text.replace(secret, BLOT)
    text = _QUERY.sub(lambda part: part[1] + (BLOT if _opens(part[2], part[3]) else part[3]), text)
    return _FORM.sub(BLOT, text)


def is_secret_name(name: str) -> bool:
    """Whether a setting, or a variable of the environment, of this name would hold a secret."""
    words = _words(name)
    secret = {word for word in words if _SECRET_WORD.fullmatch(word)}
    if not secret or words[-1] in _BESIDE:
        return False
    return not (secret <= _KEY and "PRIVATE" not in words and _OTHER_KEYS & {*words})


def _words(name: str) -> list[str]:
    """In capitals, and without the number of a second one."""
    words = (part.upper().rstrip("0123456789") for part in _BETWEEN_WORDS.split(name))
    return [word for word in words if word]


def _is_given_as_secret(name: str, value: Any) -> bool:
    text = str(value)
    if value is None or not text or text.lower() in _SWITCHES or not is_secret_name(name):
        return False
    if name.upper() in _KEY and len(text) < LEAST_LENGTH:  # of a table as a rule
        return False
    return not _is_count(name, text)


def _in_environment() -> list[str]:
    found = [value for name, value in os.environ.items() if _is_hidden(name, value)]
    return sorted(found, key=len, reverse=True)  # one may be a part of another


def _is_hidden(name: str, value: str) -> bool:
    if len(value) < LEAST_LENGTH or name in _FOLDERS or not is_secret_name(name):
        return False
    if _NUMBER.fullmatch(value):
        return any(_PASSWORD.fullmatch(word) for word in _words(name))
    return value.lower() not in _SWITCHES and not _is_path(value)


def _is_path(value: str) -> bool:
    """Whether it is there, or the folder that it would lie in."""
    path = Path(value)
    try:
        if path.is_absolute() and len(path.parts) > 2:
            return path.parent.exists()
        return path.exists()
    except (OSError, ValueError):  # too long a name, or a NUL
        return False


def _holds(text: str, hidden: Sequence[str]) -> bool:
    return (
        any(secret in text for secret in hidden)
        or _FORM.search(text) is not None
        or any(_opens(name, value) for _, name, value in _QUERY.findall(text))
    )


def _opens(name: str, value: str) -> bool:
    """Whether this part of an address's query is a secret."""
    if not _SIGNATURE.isdisjoint(_words(name)):
        return True
    return is_secret_name(name) and not _is_count(name, value)


def _is_count(name: str, text: str) -> bool:
    return not _PLURAL.isdisjoint(_words(name)) and _NUMBER.fullmatch(text) is not None


def _leaves(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _leaves(value, path)
    else:
        yield path, settings

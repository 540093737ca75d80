"""Finds weights by path or by name: what is not on this machine is fetched from the hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

WANTED = ("*.safetensors", "*.json", "*.model")
"""Weights, their index, configuration and tokenizer; never pickles."""

WITHOUT_WEIGHTS = ("*.json", "*.model")
"""Configuration and tokenizer alone, a few megabytes."""

NAME = re.compile(r"([\w-][\w.-]*/[\w.-]+)(?:@([\w./-]+))?")
"""`owner/name`, and after an @ a branch, a tag or a commit."""

EXAMPLE = "google/paligemma-3b-pt-224"


def hub_name(source: str) -> str | None:
    """`source` if it is the name of a model on the hub, and not a path; else None."""
    if not source or Path(source).expanduser().exists() or not NAME.fullmatch(source):
        return None
    return None if source.endswith((".npz", ".safetensors", ".ckpt")) else source


def weights_folder(source: str, *, wanted: Sequence[str] = WANTED) -> Path:
    """The folder, or the file, that `source` means.

    Args:
        source: a path, or else the name of a model on the hub, `owner/name`; `owner/name@revision`
            for one of its branches, such as the `bfloat16` of Google's.
        wanted: patterns of the files that are fetched from the hub; a path is left as it is.

    Raises:
        FileNotFoundError: no such path, no such model, or the hub is out of reach.
        PermissionError: nobody is logged in, or not one who has accepted the model's licence.
    """
    path = Path(source).expanduser()
    if source and path.exists():
        return path
    name = NAME.fullmatch(hub_name(source) or "")
    if name is None:
        raise FileNotFoundError(
            f"no weights at {source!r}; give an existing .npz file or folder, or the name of a "
            f"model on the hub such as {EXAMPLE}"
        )
    model, revision = name.groups()
    try:
        return Path(
            huggingface_hub.snapshot_download(model, revision=revision, allow_patterns=list(wanted))
        )
    except GatedRepoError as error:
        raise PermissionError(_needs_licence(model)) from error
    except RevisionNotFoundError as error:
        raise FileNotFoundError(
            f"{model} has no revision {revision}; its page {constants.ENDPOINT}/{model} lists them"
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"{model} is neither a path on this machine nor a model on the hub that you may see; "
            f"check the spelling (an example: {EXAMPLE}), and log in with `hf auth login` if it is "
            f"private. {_or_local(model)}"
        ) from error
    except Exception as error:  # the hub's client lets through those of its HTTP library as well
        if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
            raise PermissionError(_needs_licence(model)) from error
        raise FileNotFoundError(_out_of_reach(model, error)) from error


def _needs_licence(source: str) -> str:
    return (
        f"{source} is released under a licence that has to be accepted first: log in at "
        f"{constants.ENDPOINT}/{source}, accept it there, and run `hf auth login` on this machine "
        f"with a token of the same account that may read gated models. {_or_local(source)}"
    )


def _out_of_reach(source: str, error: Exception) -> str:
    reason = (next(iter(str(error).splitlines()), "") or type(error).__name__).rstrip(". ")
    return (
        f"{source} is no path on this machine and could not be fetched from {constants.ENDPOINT}: "
        f"{reason}. Check the connection and whether HF_HUB_OFFLINE is set. {_or_local(source)}"
    )


def _or_local(source: str) -> str:
    name = source.split("/")[-1]
    return (
        f"Or download it elsewhere and point to it: model.weights=/path/to/{name} of train.py, or "
        f"that path in place of the name"
    )

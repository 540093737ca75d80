"""Finds weights by path or by name: what is not on this machine is fetched from the hub."""

from __future__ import annotations

import re
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

WANTED = ["*.safetensors", "*.json", "*.model"]
"""Weights, their index, configuration and tokenizer; never pickles."""

EXAMPLE = "google/paligemma-3b-pt-224"


def weights_folder(source: str) -> Path:
    """The folder, or the .npz file, that `source` means.

    Args:
        source: a path, or else the name of a model on the hub, `owner/name`.

    Raises:
        FileNotFoundError: no such path, no such model, or the hub is out of reach.
        PermissionError: nobody is logged in, or not one who has accepted the model's licence.
    """
    path = Path(source).expanduser()
    if source and path.exists():
        return path
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", source) or path.suffix in (".npz", ".safetensors"):
        raise FileNotFoundError(
            f"no weights at {source!r}; give an existing .npz file or folder, or the name of a "
            f"model on the hub such as {EXAMPLE}"
        )
    try:
        return Path(huggingface_hub.snapshot_download(source, allow_patterns=WANTED))
    except GatedRepoError as error:
        raise PermissionError(_needs_licence(source)) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"{source} is neither a path on this machine nor a model on the hub that you may see; "
            f"check the spelling (an example: {EXAMPLE}), and log in with `hf auth login` if it is "
            f"private. {_or_local(source)}"
        ) from error
    except Exception as error:  # the hub's client lets through those of its HTTP library as well
        if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
            raise PermissionError(_needs_licence(source)) from error
        raise FileNotFoundError(_out_of_reach(source, error)) from error


def _needs_licence(source: str) -> str:
    return (
        f"{source} is released under a licence that has to be accepted first: log in at "
        f"{constants.ENDPOINT}/{source}, accept it there, and run `hf auth login` on this machine "
        f"with a token of the same account that may read gated models. {_or_local(source)}"
    )


def _out_of_reach(source: str, error: Exception) -> str:
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return (
        f"{source} is no path on this machine and could not be fetched from {constants.ENDPOINT}: "
        f"{reason} Check the connection and whether HF_HUB_OFFLINE is set. {_or_local(source)}"
    )


def _or_local(source: str) -> str:
    name = source.split("/")[-1]
    return f"Or download it elsewhere and point to it: model.weights=/path/to/{name}"

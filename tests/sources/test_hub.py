from __future__ import annotations

from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from pg_transfer.sources.hub import hub_name, weights_folder

NAME = "google/paligemma-3b-pt-224"


def http(kind, status):
    """An error as the hub's client raises it; of the response only these parts are looked at."""
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    return kind(f"{status} Client Error.", response=response)


@pytest.fixture
def hub(monkeypatch):
    """Let the hub answer a download by an error, or a path, and note what was asked for."""
    asked = []

    def answer(result):
        def snapshot_download(name, **options):
            asked.append((name, options))
            if isinstance(result, Exception):
                raise result
            return str(result)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        return asked

    return answer


@pytest.fixture
def no_hub(hub):
    return hub(AssertionError("the hub was asked"))


def test_paths_are_returned_as_they_are(tmp_path, monkeypatch, no_hub):
    archive = tmp_path / "weights.npz"
    archive.touch()
    assert weights_folder(str(tmp_path)) == tmp_path
    assert weights_folder(str(archive)) == archive
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights_folder("~/weights.npz") == archive
    assert no_hub == []


@pytest.mark.parametrize("path", ["/no/such/folder", "./absent", "models/pt_224.npz", "absent", ""])
def test_a_missing_path_is_not_looked_up_on_the_hub(path, no_hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"no weights at '{path}'; give an existing"):
        weights_folder(path)
    assert no_hub == []


def test_a_name_is_downloaded_without_pickles(tmp_path, hub):
    asked = hub(tmp_path)
    assert weights_folder(NAME) == tmp_path
    [(name, options)] = asked
    assert name == NAME
    assert options == {"revision": None, "allow_patterns": ["*.safetensors", "*.json", "*.model"]}


def test_a_revision_follows_an_at_sign(tmp_path, hub):
    asked = hub(tmp_path)
    assert weights_folder(f"{NAME}@bfloat16") == tmp_path
    [(name, options)] = asked
    assert (name, options["revision"]) == (NAME, "bfloat16")
    hub(http(errors.RevisionNotFoundError, 404))
    with pytest.raises(FileNotFoundError, match=f"{NAME} has no revision bf16; its page"):
        weights_folder(f"{NAME}@bf16")


def test_a_name_is_told_from_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub_name(NAME) == NAME
    assert hub_name(f"{NAME}@bfloat16") == f"{NAME}@bfloat16"
    for other in ("", "absent", "/no/such", "./absent", "a/b/c", "models/pt_224.npz"):
        assert hub_name(other) is None
    (tmp_path / "google" / "paligemma-3b-pt-224").mkdir(parents=True)
    assert hub_name(NAME) is None


@pytest.mark.parametrize(
    "error",
    [
        http(errors.GatedRepoError, 401),
        http(errors.GatedRepoError, 403),
        http(errors.HfHubHTTPError, 401),
        http(errors.HfHubHTTPError, 403),
    ],
)
def test_a_gated_model_says_where_to_accept_its_licence(hub, error):
    hub(error)
    with pytest.raises(PermissionError) as raised:
        weights_folder(NAME)
    message = str(raised.value)
    for part in (f"{constants.ENDPOINT}/{NAME}", "licence", "`hf auth login`",
                 "model.weights=/path/to/paligemma-3b-pt-224"):  # fmt: skip
        assert part in message


def test_an_unknown_model_is_a_spelling_or_a_login(hub):
    hub(http(errors.RepositoryNotFoundError, 404))
    with pytest.raises(
        FileNotFoundError, match=r"check the spelling .*`hf auth login`.*model\.wei"
    ):
        weights_folder("google/paligema")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.LocalEntryNotFoundError("Cannot find it in the cache.\nMore."), "in the cache."),
        (errors.OfflineModeIsEnabled("Cannot reach it: offline mode."), "offline mode."),
        (errors.HFValidationError("Cannot have -- or .. in it."), "Cannot have --"),
        (http(errors.HfHubHTTPError, 503), "503 Client Error."),
        (OSError(28, "No space left on device"), "No space left"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_a_failed_download_says_why_and_how_to_do_without(hub, error, reason):
    hub(error)
    with pytest.raises(FileNotFoundError, match="could not be fetched") as raised:
        weights_folder(NAME)
    assert reason in str(raised.value)
    assert "More." not in str(raised.value)
    assert "HF_HUB_OFFLINE" in str(raised.value)
    assert "model.weights=/path/to/" in str(raised.value)

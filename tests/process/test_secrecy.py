"""No password or token is saved with a run, or printed."""

from __future__ import annotations

import pytest

from pg_transfer.process.console import printable, user_message
from pg_transfer.process.secrecy import refuse_secrets, refuse_typed_secrets, without_secrets
from tests.test_conf import CONF, composed

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz01"  # of the right form, and nobody's
KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"wandb": {"api_key": "abc"}}, {"wandb": {"api-key": "abc"}}, {"token": "x"},
        {"logger": {"password": 7}}, {"a": {"hf_token": "x"}}, {"aws_secret_access_key": "x"},
        {"model": {"weights": f"https://huggingface.co/?token={TOKEN}"}},
        {"a": [{"b": [TOKEN]}]}, {"url": "https://me:pa55word@example.org/x"},
        {"key": "AKIAABCDEFGHIJKLMNOP"}, {"auth": "basic"},
        {"data": "https://example.org/x.tar?part=1&access_token=pa55word"},
        {"data": "https://pa55word@example.org/x.tar"},
    ],
)  # fmt: skip
def test_secrets_among_settings_are_refused_and_not_repeated(settings: dict) -> None:
    with pytest.raises(ValueError, match="looks like a secret") as caught:
        refuse_secrets(settings)
    assert TOKEN not in str(caught.value) and "pa55word" not in str(caught.value)


def test_a_secret_of_the_environment_is_found_under_any_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with pytest.raises(ValueError, match=r"the setting task\.note looks like a secret"):
        refuse_secrets({"task": {"note": f"key {KEY}"}})


def test_a_command_line_is_looked_at_as_it_is_typed() -> None:
    refuse_typed_secrets(["task=custom", "data=my.jsonl", "-m", "--cfg", "~logger"])
    for typed in ("+wandb.api_key=abc", "hydra.job.env_set.HF_TOKEN=abc", f"task.note=a,{TOKEN}"):
        with pytest.raises(ValueError, match="looks like a secret"):
            refuse_typed_secrets(["task=custom", typed])


def test_settings_of_ours_hold_none() -> None:
    from omegaconf import OmegaConf

    for task in (path.stem for path in (CONF / "task").glob("*.yaml") if path.stem != "custom"):
        config = OmegaConf.to_container(composed(f"task={task}"), resolve=True)
        refuse_secrets(config)  # type: ignore[arg-type]
    refuse_secrets({"tokenizer": "x", "max_tokens": 7, "api_key": None, "token": "", "auth": False})


def test_secrets_are_blotted_out_of_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_SECRET", KEY)
    monkeypatch.setenv("SHORT_TOKEN", "abc")  # in every other word
    monkeypatch.setenv("PATH_TOKEN", "/usr")  # no secret, but where one may lie
    text = f"GET https://me:hush@proxy/{KEY}?t={TOKEN} abc /usr"
    assert without_secrets(text) == "GET https://***@proxy/***?t=*** abc /usr"
    message = user_message(ValueError(text))
    assert message is not None and printable(message) == without_secrets(text)


def test_the_terminal_is_not_steered() -> None:
    # A window's title, colours, the cursor, and letters that run from right to left.
    assert printable("a\x1b]0;title\x07\x1b[31mb\rc\u202ed\x9b1m") == (
        r"a\x1b]0;title\x07\x1b[31mb\rc\u202ed\x9b1m"
    )
    assert printable("zwei\tSätze\n日本") == "zwei\tSätze\n日本"

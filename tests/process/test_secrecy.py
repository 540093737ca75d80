"""No password or token is saved with a run, or printed."""

from __future__ import annotations

import pytest

from pg_transfer.process.console import printable, user_message
from pg_transfer.process.secrecy import (
    BLOT,
    is_secret_name,
    refuse_secrets,
    refuse_typed_secrets,
    secret_among,
    without_secrets,
)
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


SECRET = (
    "MY_SERVICE_KEY PGPASSWORD GITHUB_PAT ENCRYPTION_KEY DB_PASS OPENAI_KEY HF_TOKEN_2 HFToken "
    "SECRET_KEY_BASE AWS_ACCESS_KEY_ID SSHPASS MYSQL_PWD GPG_PRIVATE_KEY GOOGLE_CREDENTIALS "
    "npm_config__authToken accessToken hf_tokens pwd pass bearer tokens wandb_key authorization "
    "api-key x.client.secret"
)
NONE = (
    "OLDPWD GPG_KEY GPG_KEYS SSH_PUBLIC_KEY SSH_AUTH_SOCK XAUTHORITY KUBE_TOKEN_FILE AUTH_TYPE "
    "ACTIONS_ID_TOKEN_REQUEST_URL TOKENIZERS_PARALLELISM GIT_AUTHOR_NAME PYTHON_KEYRING_BACKEND "
    "PATH TOX_TESTENV_PASSENV tokenizer text_length passes compass bypass monkey keyboard pattern "
    "author sort_key image_key exclude_keys"
)


def test_names_are_read_word_by_word() -> None:
    assert [name for name in SECRET.split() if not is_secret_name(name)] == []
    assert [name for name in NONE.split() if is_secret_name(name)] == []
    assert not is_secret_name("") and not is_secret_name("__")


@pytest.mark.parametrize("name", SECRET.split())
def test_a_setting_of_a_secret_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="looks like a secret"):
        refuse_secrets({"logger": {name: "abcabcabc"}})
    refuse_secrets({"logger": {name: None}, "a": {name: False}, "b": {name: ""}})
    with pytest.raises(ValueError, match="looks like a secret"):
        refuse_typed_secrets([f"+logger.{name}=abcabcabc"])
    refuse_typed_secrets([f"+logger.{name}=true"])


@pytest.mark.parametrize("name", ["OPENAI_KEY", "PGPASSWORD", "GITHUB_PAT", "DB_PASS"])
def test_a_value_of_the_environment_is_found_within_another(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "abcabcabcabcabc")
    with pytest.raises(ValueError, match="the setting image_cache looks like a secret"):
        refuse_typed_secrets(["image_cache=cache-abcabcabcabcabc"])
    assert without_secrets("cache-abcabcabcabcabc") == "cache-***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PWD", "gone-folder"), ("OLDPWD", "gone-folder"), ("GPG_KEY", KEY), ("SOME_KEY", "true"),
        ("SSH_AUTH_SOCK", "gone-folder/agent.1"), ("SOME_KEY", "12345678"), ("MY_KEY", "short12"),
        ("GOOGLE_CREDENTIALS", "/usr/not-yet-there.json"), ("SOME_TOKEN", "1234567.5"),
    ],
)  # fmt: skip
def test_what_is_no_secret_of_the_environment(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    refuse_secrets({"data": f"at {value}"})
    assert without_secrets(f"at {value}") == f"at {value}"


def test_a_password_may_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASS", "12345678")
    assert without_secrets("at 12345678") == "at ***"


@pytest.mark.parametrize(
    "text",
    [
        "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz", "glpat-abcdefghij0123456789",
        "xoxb-123456789012-abcdefghijkl", "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "npm_abcdefghijklmnopqrstuvwxyz0123456789", "hf_oauth_eyJhbGciOi.J9abcdefgh",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghij",
        "Authorization: Basic dXNlcjpwYXNz", "Bearer abc123def456",
        "https://example.org/x?X-Amz-Security-Token=IQoJb3JpZ2lu",
        "https://example.org/x#access_token=abc", "https://example.org/x?a=1&sig=abc",
    ],
)  # fmt: skip
def test_what_services_give_out_is_known_by_its_form(text: str) -> None:
    assert BLOT in without_secrets(f"got {text}") and text[-8:] not in without_secrets(text)
    assert secret_among(["", "a text", f"got {text} back"]) == 2
    with pytest.raises(ValueError, match="looks like a secret"):
        refuse_secrets({"note": text})


@pytest.mark.parametrize(
    "text",
    [
        "a standard bearer approaches", "the Bearer of bad news", "hf_internal_testing_tiny_model",
        "npm_config_registry_of_ours_here", "risk-of-a-very-long-name-of-a-folder",
        "https://example.org/x?max_tokens=7&page=2&tokenizer=x", "what key is it? keys=3", "sk-1",
    ],
)  # fmt: skip
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_secrets(text) == text and secret_among([text]) is None


def test_a_command_line_is_looked_at_as_it_is_typed() -> None:
    refuse_typed_secrets(["task=custom", "data=my.jsonl", "-m", "--cfg", "~logger"])
    for typed in ("+wandb.api_key=abc", "hydra.job.env_set.HF_TOKEN=abc", f"task.note=a,{TOKEN}"):
        with pytest.raises(ValueError, match="looks like a secret"):
            refuse_typed_secrets(["task=custom", typed])


@pytest.mark.slow
def test_settings_of_ours_hold_none() -> None:
    from omegaconf import OmegaConf

    for task in (path.stem for path in (CONF / "task").glob("*.yaml") if path.stem != "custom"):
        config = OmegaConf.to_container(composed(f"task={task}"), resolve=True)
        refuse_secrets(config)  # type: ignore[arg-type]
    refuse_secrets({"tokenizer": "x", "max_tokens": 7, "api_key": None, "token": "", "auth": False})


def test_no_name_of_ours_or_hydras_is_taken_for_one() -> None:
    import yaml
    from hydra.conf import HydraConf
    from omegaconf import OmegaConf

    def names(content: object) -> set[str]:
        if isinstance(content, list):
            return set().union(*map(names, content))
        return (
            set().union(map(str, content), *map(names, content.values()))
            if isinstance(content, dict)
            else set()
        )

    found = {
        name for path in CONF.rglob("*.yaml") for name in names(yaml.safe_load(path.read_text()))
    }
    found |= names(OmegaConf.to_container(OmegaConf.structured(HydraConf)))
    assert {"text_length", "tokenizer", "override_dirname", "exclude_keys"} <= found
    assert [name for name in found if is_secret_name(name)] == []


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
    assert printable("\udcff\ud83d") == r"\udcff\ud83d"  # of names of files that are not UTF-8
    assert printable("zwei\tSätze\n日本") == "zwei\tSätze\n日本"

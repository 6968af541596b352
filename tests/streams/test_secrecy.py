"""No secret is ever said: not in settings, errors, logs, metrics or tracebacks, by no command."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError

from retarget.errors import BadInput
from streams.cli import COMMANDS
from streams.embedded.processes import LOOPBACK, free_port
from streams.logs import configure_logs
from streams.secrecy import hiding
from streams.settings import DECLARED, load_settings
from tests.support.worker import ROOT

CANARY = "canary"
SECRETS = {
    "RETARGET_KAFKA_SASL_PASSWORD": "kafka-canary-!/@: 1",
    "RETARGET_STORE_URL": "redis://me:store-canary%2F2@{place}/0?ssl_password=key-canary-5",
    "RETARGET_OFFERS_SECRET": "offers-canary-3",
    "RETARGET_WEB_TOKEN": "web-canary-token-4",
    "RETARGET_COLLECT_WRITE_KEYS": "page-canary-key-66, page-canary-key-77",
    "RETARGET_COLLECT_SERVER_KEYS": "server-canary-key-8",
    "RETARGET_CHANNEL_SECRET": "seal-canary-number-9",
    "RETARGET_CHANNEL_ADDRESSES": "https://crm.example/{{user_id}}?api_key=addresses-canary-31",
    **{
        f"RETARGET_{of}_URL": f"https://me:{of.lower()}-canary-32@gate.example"
        for of in (
            "PUSH_FCM",
            "PUSH_APNS",
            "ADS",
            "ADS_META",
            "ADS_GOOGLE",
            "SMS",
            "WHATSAPP",
            "ONSITE",
            "CHAT",
        )
    },
    "RETARGET_EMAIL_PASSWORD": "relay-canary-10",
    "RETARGET_PUSH_FCM_TOKEN": "fcm-canary-11",
    "RETARGET_PUSH_APNS_TOKEN": "apns-canary-12",
    "RETARGET_PUSH_VAPID_KEY": "vapid-canary-13",
    "RETARGET_ADS_TOKEN": "ads-canary-14",
    "RETARGET_ADS_META_TOKEN": "meta-canary-17",
    "RETARGET_ADS_GOOGLE_TOKEN": "google-canary-18",
    "RETARGET_SMS_TOKEN": "sms-canary-19",
    "RETARGET_WHATSAPP_TOKEN": "whatsapp-canary-20",
    "RETARGET_ONSITE_TOKEN": "onsite-canary-21",
    "RETARGET_CHAT_TOKEN": "chat-canary-22",
    "RETARGET_PURL_KEYS": "link-canary-key-number-15, link-canary-key-number-16",
    "RETARGET_PRIVACY_KEYS": "privacy-canary-key-number-17, privacy-canary-key-number-18",
}
SASL = {
    "RETARGET_KAFKA_SECURITY": "sasl_plaintext",
    "RETARGET_KAFKA_SASL_USER": "me",
    "RETARGET_LOG_LEVEL": "debug",
}
# Beside these a command needs nothing to come as far as to its services, which are not there.
WORDS = {
    "demo": None,  # it starts servers of its own
    "backtest": ["{events}"],
    "replay": ["{events}"],
    "check": [],
    "diff": ["published", "{rules}"],
    "rules": ["list"],
    "produce": ["{events}"],
    "simulate": ["--seconds", "1"],
    "collect": [],
    "channel": ["push"],
    "redrive": [],
    "tail": ["decisions"],
    "explain": ["u1"],
    "export": ["u1"],
    "erase": ["u1"],
    "pause": ["email"],
    "resume": ["email"],
    "revoke": ["0" * 32],
    "run": [],
    "topics": [],
    "settings": ["--json"],
    "repartition": ["--to", "16"],
    "sizing": ["--people", "1000", "--events", "1000"],
}


def environ() -> dict[str, str]:
    """Secrets, and services that are not there."""
    place = f"{LOOPBACK}:{free_port()}"
    ours = {name: value.format(place=place) for name, value in (SECRETS | SASL).items()}
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
    return {
        **theirs,
        **ours,
        "RETARGET_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{free_port()}",
        "PYTHONPATH": str(ROOT),
    }


@pytest.mark.parametrize("name", [name for name in COMMANDS if WORDS.get(name, []) is not None])
def test_no_command_says_a_secret(name: str, tmp_path: Path) -> None:
    """With services that cannot be reached, everything logged, and whatever else goes wrong."""
    events = tmp_path / "events.jsonl"
    events.write_text('{"type": "view", "user_id": "u1", "time": "2024-03-01T12:00:00Z"}\n')
    words = [word.format(events=events, rules=ROOT / "config/rules") for word in WORDS.get(name) or []]

    done = subprocess.run(
        [sys.executable, "-m", "streams", name, *words], capture_output=True, text=True, check=False,
        cwd=tmp_path, env=environ(), timeout=60,
    )  # fmt: skip

    assert done.returncode in (0, 1, 3), (name, done.returncode, done.stderr)
    assert CANARY not in done.stdout + done.stderr
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in written if CANARY in text]


def test_every_secret_has_a_canary() -> None:
    """A new setting with a secret is tried too."""
    masked = {declared.environment for declared in DECLARED.values() if declared.mask}
    assert masked == SECRETS.keys()


def refusals(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The problems of an environment."""
    with pytest.raises(BadInput) as refused:
        load_settings(environ=environ)
    return refused.value.problems


@pytest.mark.parametrize(
    "url",
    [
        "redis://me:pa/canary@h", "redis://:pa@canary@h:1", "redis://h?password=canary", "rediss://:canary@h/0",
        "redis://h:1/0?ssl_password=canary&db=1", "redis://me:canary?x@h", "unix://me:canary@/path",
        "http://me:canary@h", "redis://me:ca\ncanary@h", "redis://me:::canary@h",
    ],
)  # fmt: skip
def test_no_address_of_a_store_shows_its_password(url: str) -> None:
    """However it is written, in settings as in what is refused."""
    try:
        settings = load_settings(environ={"RETARGET_STORE_URL": url})
    except BadInput as refused:
        said = str(refused)
    else:
        said = repr(settings) + str(settings.describe()) + str(settings.deciding())
        said += hiding(settings)(f"cannot connect to {url}")
    assert CANARY not in said


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.usefixtures("_logs_as_before")
def test_what_a_library_logs_is_without_secrets(form: str) -> None:
    """Message, fields and traceback, in the way they are written there."""
    settings = load_settings(environ=environ())
    out = io.StringIO()
    configure_logs("json" if form == "json" else "text", "debug", out, hidden=hiding(settings))
    log = logging.getLogger("some.library")
    password, fields = settings.kafka.sasl_password, {"url": settings.store.url}

    log.warning("password %r of %s", password, {"secret": settings.offers.secret}, extra=fields)
    error = AuthenticationError(f"store-canary/2 is wrong for {settings.store.url}")
    log.error("refused %s", settings.web.token, exc_info=error)

    assert out.getvalue().count("***") >= 6
    assert CANARY not in out.getvalue()
    if form == "json":
        assert all(json.loads(line) for line in out.getvalue().splitlines())


def test_an_error_that_nobody_expected_is_told_without_secrets(tmp_path: Path) -> None:
    """Its traceback too."""
    program = tmp_path / "program.py"
    program.write_text(
        "import streams.commands.check as check\nfrom streams.cli import main\n"
        "def run(settings, args):\n"
        "    raise RuntimeError(f'bug: {settings.store.url} {settings.offers.secret}')\n"
        "check.run = run\nmain(['check'])\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=ROOT, env=environ()
    )
    assert done.returncode == 1
    assert "RuntimeError: bug: redis://me:***@" in done.stderr
    assert CANARY not in done.stderr


# -- from files --


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    """As container platforms mount it, with the end of the line that an editor leaves."""
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value.format(place="h:1") + "\n")
    settings = load_settings(environ={f"{name}_FILE": str(tmp_path / name) for name in SECRETS})
    assert settings.kafka.sasl_password == SECRETS["RETARGET_KAFKA_SASL_PASSWORD"]
    assert settings.offers.secret == SECRETS["RETARGET_OFFERS_SECRET"]
    assert settings.sources["web.token"] == "environment RETARGET_WEB_TOKEN_FILE"
    assert CANARY not in str(settings.describe())


def test_a_secrets_file_that_is_none_is_one_line_without_its_content(tmp_path: Path) -> None:
    """Missing, empty, no text, or beside the variable itself."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"canary \xff")
    (tmp_path / "sound").write_text("canary-of-sound-mind")
    name = "RETARGET_OFFERS_SECRET_FILE"
    for file, said in (("none", "No such file"), ("empty", "is empty"), ("bytes", "not text in UTF-8")):
        (line,) = refusals({name: str(tmp_path / file)})
        assert line.startswith(f"environment {name}: ")
        assert said in line
        assert CANARY not in line
    (line,) = refusals({name: str(tmp_path / "sound"), "RETARGET_OFFERS_SECRET": "canary"})
    assert line == f"environment {name}: RETARGET_OFFERS_SECRET is set too; unset one of them"

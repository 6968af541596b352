"""Tokens that are renewed in time: Apple's, signed here, and Google's, got from a local endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from retarget.errors import BadInput
from retarget.messages import Message
from retarget.times import HOUR, MINUTE, SECOND
from streams.channels import bearers
from streams.channels.batches.platforms import GoogleChannel
from streams.channels.bearers import NotIssued, OfAccount, Signed
from streams.channels.outcomes import HANDED, Outcome, dead
from streams.channels.push import PushChannel
from tests.streams.channels.conftest import Engine, message
from tests.streams.channels.test_destinations import change
from tests.support.receiver import Posted, Receiver

APPLE: Final = ec.generate_private_key(ec.SECP256R1())
GOOGLE: Final = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
NOON: Final = 1_772_362_800_000
EXPIRED: Final = dead("refused", 'answered 403 {"reason":"ExpiredProviderToken"}')


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        """Epoch ms."""
        return self.now


def claims(token: str) -> dict[str, Any]:
    """What Apple reads, once it has looked at the signature."""
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
    # The clock of the test is another.
    read: dict[str, Any] = jwt.decode(
        token, APPLE.public_key(), algorithms=["ES256"], options={"verify_iat": False}
    )
    return read


def test_apples_token_is_renewed_between_20_and_60_minutes() -> None:
    """However often it is asked for, over a day: none is older than an hour, none comes within 20 minutes."""
    clock = Clock()
    signed, made = Signed(APPLE, "KEY1234567", "TEAM123456", clock), list[int]()
    for _ in range(24 * 60):
        clock.now += MINUTE
        read = claims(signed.current())
        assert read["iss"] == "TEAM123456"
        assert clock.now - read["iat"] * 1000 < HOUR
        if read["iat"] not in made:
            made.append(read["iat"])
    apart = [later - first for first, later in pairwise(made)]
    assert made
    assert min(apart) >= 20 * 60


def test_a_token_that_apple_does_not_take_is_replaced_as_soon_as_allowed() -> None:
    """As after a clock that was wrong: the message goes later, and a new token not before 20 minutes."""
    clock = Clock()
    signed = Signed(APPLE, "KEY1234567", "TEAM123456", clock)
    first = signed.current()
    assert signed.heard(EXPIRED).kind == "later"
    clock.now += 19 * MINUTE
    assert signed.current() == first
    clock.now += MINUTE
    assert signed.current() != first
    refused = dead("refused", "answered 400 BadDeviceToken")
    assert signed.heard(refused) is refused
    assert signed.heard(HANDED) is HANDED


def test_a_clock_that_is_set_back_makes_a_new_token() -> None:
    """One from the time to come would be refused."""
    clock = Clock()
    signed = Signed(APPLE, "KEY1234567", "TEAM123456", clock)
    signed.current()
    clock.now -= 2 * HOUR
    assert claims(signed.current())["iat"] == clock.now // 1000


class Google:
    """Its endpoint for tokens, each good for an hour, and the file of an account that knows it."""

    def __init__(self, receiver: Receiver, folder: Path) -> None:
        self.receiver, self.given, self.path = receiver, 0, folder / "account.json"
        receiver.says = self._says
        pem = GOOGLE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        account = {
            "type": "service_account", "client_email": "shop@project.example", "private_key": pem,
            "private_key_id": "k1", "token_uri": f"{receiver.url}/token", "project_id": "shop",
        }  # fmt: skip
        self.path.write_text(json.dumps(account))

    def _says(self, one: Posted) -> bytes:
        if one.path != "/token":
            return b""
        self.given += 1
        token = {"access_token": f"token-{self.given}", "expires_in": 3600, "token_type": "Bearer"}
        return json.dumps(token).encode()

    def of_account(self, clock: Clock) -> OfAccount:
        """A bearer with this clock."""
        found = bearers.google("push.fcm", "", str(self.path), bearers.MESSAGING)
        assert isinstance(found, OfAccount)
        return OfAccount(found.credentials, clock)


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    """An endpoint that gives tokens."""
    with Receiver() as receiver:
        yield Google(receiver, tmp_path)


async def test_googles_token_is_got_once_and_renewed_before_its_end(google: Google) -> None:
    """With an assertion that is signed by the account's key and names what for; once for all who ask."""
    clock = Clock()
    bearer = google.of_account(clock)
    assert {*await asyncio.gather(*(bearer() for _ in range(20)))} == {"token-1"}
    [asked] = google.receiver.posted
    (assertion,) = parse_qs(asked.body.decode())["assertion"]
    read = jwt.decode(
        assertion, GOOGLE.public_key(), algorithms=["RS256"], audience="https://oauth2.googleapis.com/token"
    )
    assert (read["iss"], read["scope"]) == ("shop@project.example", bearers.MESSAGING)
    clock.now += 54 * MINUTE
    assert await bearer() == "token-1"
    clock.now += 2 * MINUTE
    assert await bearer() == "token-2"
    assert len(google.receiver.posted) == 2


async def test_while_google_gives_none_the_former_is_shown_until_its_end(google: Google) -> None:
    """Then nothing leaves, and it is asked again every ten seconds, not with every message."""
    clock = Clock()
    bearer = google.of_account(clock)
    await bearer()
    google.receiver.answers = lambda _: 403
    clock.now += 57 * MINUTE
    assert await bearer() == "token-1"
    clock.now += 4 * MINUTE
    for _ in range(3):
        with pytest.raises(NotIssued, match="Google gives no token"):
            await bearer()
    asked = len(google.receiver.posted)
    with pytest.raises(NotIssued):
        await bearer()
    assert len(google.receiver.posted) == asked
    google.receiver.answers = lambda _: 200
    clock.now += 11 * SECOND
    assert (await bearer()).startswith("token-")


async def pushed(engine: Engine, to: object, **given: object) -> Outcome:
    """What came of one push."""
    service = PushChannel(engine.settings(*(f"push.{key}={value}" for key, value in given.items())))
    made = msgspec.convert(message(1, channel="push", to={"push_tokens": [to]}), Message)
    [outcome] = await service.hand_over([made])
    await service.stop()
    return outcome


async def test_a_push_shows_the_tokens_that_were_made(google: Google, tmp_path: Path) -> None:
    """To FCM Google's, to APNs one that its key opens; a token that is refused ends no message."""
    engine, pem = Engine("nowhere.example:9092"), tmp_path / "AuthKey.p8"
    pem.write_bytes(APPLE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    fcm = {"fcm_url": google.receiver.url, "fcm_project": "shop", "fcm_key_file": google.path}
    apns = {
        "apns_url": google.receiver.url, "apns_topic": "example.shop", "apns_key_file": pem,
        "apns_key_id": "KEY1234567", "apns_team": "TEAM123456",
    }  # fmt: skip
    assert (await pushed(engine, "phone", **fcm)).kind == "handed"
    assert google.receiver.posted[-1].headers["authorization"] == "Bearer token-1"
    assert (await pushed(engine, {"platform": "ios", "token": "ab" * 32}, **apns)).kind == "handed"
    shown = google.receiver.posted[-1].headers["authorization"]
    assert claims(shown.removeprefix("Bearer "))["iss"] == "TEAM123456"
    google.receiver.answers = lambda one: 401 if one.path != "/token" else 200
    assert (await pushed(engine, "phone", **fcm)).kind == "later"
    google.receiver.answers = lambda _: 403
    outcome = await pushed(engine, "phone", **fcm)
    assert (outcome.kind, outcome.detail[:22]) == ("later", "Google gives no token:")


async def test_an_audience_shows_googles_token_too(google: Google) -> None:
    """By the same kind of file."""
    settings = Engine("nowhere.example:9092").settings(
        f"ads.google_url={google.receiver.url}", f"ads.google_key_file={google.path}",
        "ads.google_lists=cart-left=7", "ads.google_account=12",
    )  # fmt: skip
    service = GoogleChannel(settings)
    [outcome] = await service.hand_over([msgspec.convert(change(1), Message)])
    await service.stop()
    assert outcome.kind == "handed"
    assert google.receiver.posted[-1].headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["push.fcm_key_file={no}"], "push.fcm_key_file: {no} cannot be read"),
        (["push.fcm_key_file={text}"], "push.fcm_key_file: {text} is no key of a service account"),
        (["push.fcm_key_file={text}", "push.fcm_token=x"], "push.fcm_token: is set beside"),
        (["push.apns_key_file={text}"], "expected push.apns_key_id and push.apns_team with it"),
        (
            ["push.apns_key_file={text}", "push.apns_key_id=K", "push.apns_team=T"],
            "push.apns_key_file: {text} holds no private key",
        ),
        (
            ["push.apns_key_file={rsa}", "push.apns_key_id=K", "push.apns_team=T"],
            "push.apns_key_file: {rsa} holds another kind of key",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, given: list[str], said: str) -> None:
    """Before the service starts, with setting and file, and nothing of what is in it."""
    files = {"no": tmp_path / "no.json", "text": tmp_path / "text.json", "rsa": tmp_path / "rsa.p8"}
    files["text"].write_text("{}canary")
    files["rsa"].write_bytes(GOOGLE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = Engine("nowhere.example:9092").settings(*(one.format(**files) for one in given))
    with pytest.raises(BadInput) as refused:
        PushChannel(settings)
    assert said.format(**files) in str(refused.value)
    assert "canary" not in str(refused.value)

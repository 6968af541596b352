"""What push services and platforms are shown: a token of the settings, or one that is renewed in time.

Apple wants tokens that are signed by the app's key, no younger than 20 minutes when the next one comes and no
older than an hour; Google gives tokens for an hour to whoever has the key of a service account.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials

from retarget.errors import BadInput
from retarget.times import MINUTE, SECOND
from streams.channels.outcomes import Outcome, later
from streams.clocks import now_ms

log: Final = logging.getLogger("retarget.channel")
# Between Apple's 20 and 60 minutes, with room for a message that waits for its connection.
APNS_RENEWED: Final = 45 * MINUTE
APNS_SOONEST: Final = 20 * MINUTE
# So long before its end a token of Google's is renewed.
AHEAD: Final = 5 * MINUTE
_AGAIN: Final = 10 * SECOND
_TIMEOUT_S: Final = 10.0
MESSAGING: Final = "https://www.googleapis.com/auth/firebase.messaging"
AUDIENCES: Final = "https://www.googleapis.com/auth/datamanager"
# What says that the token is not taken, and not the message.
_NOT_TAKEN: Final = ("answered 401", "ExpiredProviderToken", "InvalidProviderToken")

Clock = Callable[[], int]


class NotIssued(Exception):
    """There is no token for the moment."""


class Bearer(Protocol):
    """What is shown as a bearer token."""

    async def __call__(self) -> str:
        """The token. Raises NotIssued."""

    def heard(self, outcome: Outcome) -> Outcome:
        """What came of showing it, in the light of whether another can be had."""


class Given:
    """A token of the settings."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def __call__(self) -> str:
        """See Bearer."""
        return self._token

    def heard(self, outcome: Outcome) -> Outcome:
        """See Bearer."""
        return outcome


class Signed:
    """Provider tokens of APNs, signed here."""

    def __init__(self, key: Any, key_id: str, team: str, now: Clock = now_ms) -> None:  # noqa: ANN401 - cryptography's
        """`key`: a private P-256 key; `now` gives epoch ms."""
        self._key, self._key_id, self._team, self._now = key, key_id, team, now
        self._token, self._made, self._doubted = "", 0, False

    async def __call__(self) -> str:
        """See Bearer."""
        return self.current()

    def current(self) -> str:
        """The token, a new one where the former is too old, or is not taken and may be replaced."""
        age = self._now() - self._made
        # A clock that was set back makes it older than it seems.
        if not self._token or age < 0 or age >= (APNS_SOONEST if self._doubted else APNS_RENEWED):
            self._make()
        return self._token

    def _make(self) -> None:
        self._made, self._doubted = self._now(), False
        claims = {"iss": self._team, "iat": self._made // 1000}
        self._token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})

    def heard(self, outcome: Outcome) -> Outcome:
        """See Bearer."""
        if not _is_refused(outcome):
            return outcome
        self._doubted = True
        return later(outcome.detail)


class OfAccount:
    """Access tokens that Google gives to a service account."""

    def __init__(self, credentials: Any, now: Clock = now_ms) -> None:  # noqa: ANN401 - google-auth's
        """`credentials` with their scope; `now` gives epoch ms."""
        self.credentials, self._now = credentials, now
        self._lock = asyncio.Lock()
        self._token, self._until, self._renewed = "", 0, 0
        self._again, self._trouble = 0, ""

    async def __call__(self) -> str:
        """See Bearer."""
        if self._now() >= self._renewed:
            async with self._lock:  # one asks, for all
                if self._now() >= max(self._renewed, self._again):
                    await self._renew()
        if self._token and self._now() < self._until:
            return self._token
        raise NotIssued(f"Google gives no token: {self._trouble}")

    async def _renew(self) -> None:
        try:
            await asyncio.to_thread(self._refresh)
        except GoogleAuthError as error:
            self._again, self._trouble = self._now() + _AGAIN, str(error)[:300]
            log.warning("Google gives no token: %s", self._trouble)
            return
        left = self.credentials.expiry - datetime.now(UTC).replace(tzinfo=None)
        lasts = left // timedelta(milliseconds=1)
        now = self._now()
        self._token, self._until = self.credentials.token, now + lasts
        self._renewed = self._until - min(AHEAD, lasts // 2)

    def _refresh(self) -> None:
        request = Request()

        def bounded(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - as the library has it
            return request(*args, **{**more, "timeout": _TIMEOUT_S})

        self.credentials.refresh(bounded)

    def heard(self, outcome: Outcome) -> Outcome:
        """See Bearer."""
        if not _is_refused(outcome):
            return outcome
        self._renewed = 0
        self._again = max(self._again, self._now() + _AGAIN)
        return later(outcome.detail)


def _is_refused(outcome: Outcome) -> bool:
    return outcome.reason == "refused" and any(word in outcome.detail for word in _NOT_TAKEN)


def apple(setting: str, given: str, key_file: str, key_id: str, team: str) -> Bearer:
    """By the settings whose names begin with `setting`: the token, or one made of the key.

    Raises BadInput.
    """
    if not key_file:
        return Given(given)
    _require_one(setting, given)
    if not (key_id and team):
        said = f"expected {setting}_key_id and {setting}_team with it, the ids of the key and of the team"
        raise BadInput([f"{setting}_key_file: {said}"])
    problem = f"{setting}_key_file: {key_file}"
    try:
        key = load_pem_private_key(_content(problem, key_file), None)
    except (ValueError, TypeError):
        raise BadInput([f"{problem} holds no private key; expected the .p8 file that Apple gives"]) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadInput([f"{problem} holds another kind of key; expected the .p8 file that Apple gives"])
    return Signed(key, key_id, team)


def google(setting: str, given: str, key_file: str, scope: str) -> Bearer:
    """The same of Google: the token, or those of a service account. Raises BadInput."""
    if not key_file:
        return Given(given)
    _require_one(setting, given)
    problem = f"{setting}_key_file: {key_file}"
    try:
        account = json.loads(_content(problem, key_file))
        credentials = Credentials.from_service_account_info(account, scopes=[scope])  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, KeyError, AttributeError, GoogleAuthError):
        said = "is no key of a service account; expected the JSON file that Google gives"
        raise BadInput([f"{problem} {said}"]) from None
    return OfAccount(credentials)


def _require_one(setting: str, given: str) -> None:
    if given:
        raise BadInput([f"{setting}_token: is set beside {setting}_key_file; one of them is enough"])


def _content(problem: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput([f"{problem} cannot be read: {error.strerror}"]) from None

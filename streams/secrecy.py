"""Secrets kept out of whatever is said: lines of logs, errors, tracebacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, unquote

from streams.settings import Settings

HIDDEN: Final = "***"
# What is shorter would take whole words out of every line; nobody should have such a password.
_SHORTEST: Final = 4
_NAMED_SO: Final = ("password", "secret", "token", "key", "sign")


def hiding(settings: Settings) -> Callable[[str], str]:
    """What takes every secret of these settings out of a text, in all the ways it may be written there."""
    forms = {form for secret in _secrets(settings) for form in _forms(secret) if len(form) >= _SHORTEST}
    ordered = sorted(forms, key=len, reverse=True)

    def hide(text: str) -> str:
        for form in ordered:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    return hide


def _secrets(settings: Settings) -> Iterator[str]:
    yield from (settings.kafka.sasl_password, settings.offers.secret, settings.web.token)
    yield from (*settings.purl.keys, *settings.privacy.keys)
    yield from (settings.channel.secret, settings.email.password)
    yield from (settings.push.fcm_token, settings.push.apns_token, settings.push.vapid_key)
    yield from (settings.ads.token, settings.ads.meta_token, settings.ads.google_token)
    yield from (settings.sms.token, settings.whatsapp.token, settings.onsite.token, settings.chat.token)
    yield from (*settings.collect.write_keys, *settings.collect.server_keys)
    for url in (settings.store.url, *_services(settings)):
        yield from _in_url(url)


def _services(settings: Settings) -> Iterator[str]:
    push, ads = settings.push, settings.ads
    yield from (settings.channel.addresses, push.fcm_url, push.apns_url)
    yield from (ads.url, ads.meta_url, ads.google_url)
    yield from (settings.sms.url, settings.whatsapp.url, settings.onsite.url, settings.chat.url)


def _in_url(url: str) -> Iterator[str]:
    """A password, and of the query what bears such a name; in settings all of the query is masked."""
    _, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    if at:
        yield account.partition(":")[2]
    for part in (place if at else rest).partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if any(word in name.lower() for word in _NAMED_SO):
            yield value


def _forms(secret: str) -> Iterator[str]:
    for form in (secret, unquote(secret), quote(secret, safe="")):
        yield form
        yield repr(form)[1:-1]
        yield json.dumps(form, ensure_ascii=False)[1:-1]

"""`retarget channel`: what is wrong is told in one line before anything is read."""

from __future__ import annotations

import pytest

from retarget.errors import BadInput
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.embedded.processes import free_port
from streams.reading import canonical_topic
from streams.settings import load_settings
from tests.streams.commands.conftest import Retarget

# On this machine plain http will do.
A_WAY_OUT = (
    "--set",
    "channel.public_url=http://127.0.0.1:9466",
    "--set",
    "channel.secret=a long random text",
)


def test_what_it_can_be_asked_for(retarget: Retarget) -> None:
    """A channel that there is, by its name."""
    assert retarget("channel", "telegram").code == 2
    assert "email" in retarget("channel", "--help").out


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("email", "email.sender=nobody", "email.sender: found 'nobody'"),
        ("email", "email.reply_to=nobody", "email.reply_to: found 'nobody'"),
        ("email", "channel.public_url=https://x.example:abc", "channel.public_url: found"),
        ("email", "channel.secret=", "channel.secret: is not set"),
        ("email", "channel.secret=guessed", "channel.secret: has 7 characters"),
        ("email", "channel.templates=/nowhere", "channel.templates: /nowhere is no folder"),
        ("push", "push.fcm_url=", "push: no provider"),
        ("email", "channel.public_url=", "channel.public_url: is not set, and without a way to unsubscribe"),
        ("email", "channel.public_url=http://x.example", "channel.public_url: found 'http://x.example'"),
        ("email", "channel.public_url=https://", "channel.public_url: found 'https://'"),
        ("email", "channel.public_url=news.shop.example", "channel.public_url: found 'news.shop.example'"),
        ("ads", "ads.url=nowhere", "ads.url: found 'nowhere', expected a URL"),
        ("ads", "ads.batch=20000", "ads.batch"),
        ("direct_mail", "direct_mail.folder=", "direct_mail.folder: is not set"),
        ("sms", "sms.url=nowhere", "sms.url: found 'nowhere', expected a URL"),
        ("whatsapp", "whatsapp.url=http://127.0.0.1", "whatsapp.templates: is not set"),
        ("chat", "chat.url=", "chat.url: found '', expected a URL"),
        ("push", "push.vapid_key=nonsense", "push.vapid_key: found a value that is not shown"),
    ],
)
def test_settings_that_cannot_be(retarget: Retarget, name: str, setting: str, said: str) -> None:
    """The setting and the remedy."""
    answer = retarget("channel", name, *A_WAY_OUT, "--set", setting)
    assert answer.code == 1
    assert said in answer.err
    assert answer.out == ""


@pytest.mark.parametrize("dialect", ["segment", "ga4", "meta", "criteo", "braze", "snowplow", "cloudevents"])
def test_where_nothing_is_read_so_nothing_starts(retarget: Retarget, dialect: str) -> None:
    """One line for whatever writes events of its own, before anything is asked."""
    form = f"input.dialect={dialect}"
    for words in (("channel", "email"), ("channel", "ads"), ("collect",), ("collect", "--topic", "x")):
        answer = retarget(*words, "--set", form)
        assert (answer.code, answer.out) == (1, "")
        assert f"as {dialect}" in answer.err
        assert "write input.dialect_by_topic=" in answer.err
        assert len(answer.err.splitlines()) == 1
    with pytest.raises(BadInput, match="an erase event can go to no topic"):
        canonical_topic(load_settings(overrides=[form]), "an erase event")


def test_a_broker_that_is_not_there(retarget: Retarget, store: EmbeddedStore) -> None:
    """Exit code 3, with the address and its setting."""
    broker = f"kafka.bootstrap=127.0.0.1:{free_port()}"
    answer = retarget("channel", "email", *A_WAY_OUT, "--set", broker, "--set", f"store.url={store.url}")
    assert answer.code == 3
    assert "kafka.bootstrap" in answer.err


def test_a_relay_that_is_not_there(retarget: Retarget, engine: EmbeddedBroker, store: EmbeddedStore) -> None:
    """The same, before a single message is read."""
    bootstrap = f"kafka.bootstrap={engine.bootstrap}"
    relay = f"email.port={free_port()}"
    settings = [bootstrap, relay, "channel.port=0", f"store.url={store.url}"]
    answer = retarget("channel", "email", *A_WAY_OUT, *(word for one in settings for word in ("--set", one)))
    assert answer.code == 3
    assert "email.host" in answer.err


def test_a_store_that_is_not_there(retarget: Retarget) -> None:
    """Nobody could say what is paused."""
    answer = retarget("channel", "email", *A_WAY_OUT, "--set", f"store.url=redis://127.0.0.1:{free_port()}")
    assert answer.code == 3
    assert "store.url" in answer.err

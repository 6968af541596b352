"""Push messages against a local endpoint: FCM's and APNs's forms, and Web Push with real encryption."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import http_ece
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from retarget.errors import BadInput
from retarget.messages import Message
from streams.channels.outcomes import Outcome
from streams.channels.posting import Post
from streams.channels.push import PushChannel
from tests.streams.channels.conftest import Engine, message, until, working
from tests.support.receiver import Receiver

BROWSER = ec.generate_private_key(ec.SECP256R1())
AUTH = os.urandom(16)


def text(raw: bytes) -> str:
    """As browsers write keys."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def subscription(receiver: Receiver) -> dict[str, Any]:
    """What a browser gives a page."""
    public = BROWSER.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"endpoint": f"{receiver.url}/send/1", "keys": {"p256dh": text(public), "auth": text(AUTH)}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The push service."""
    with Receiver() as server:
        yield server


def channel(receiver: Receiver, *hosts: str, contact: str = "mailto:push@shop.example") -> PushChannel:
    """The channel with this receiver as each of its services."""
    key = Vapid02()
    key.generate_keys()
    number = key.private_key.private_numbers().private_value
    settings = Engine("nowhere.example:9092").settings(
        f"push.fcm_url={receiver.url}", "push.fcm_project=shop", "push.fcm_token=secret",
        f"push.apns_url={receiver.url}",
        "push.apns_topic=example.shop", f"push.vapid_key={text(number.to_bytes(32, 'big'))}",
        f"push.hosts={','.join(hosts) or '127.0.0.1'}", f"push.contact={contact}",
    )  # fmt: skip
    return PushChannel(settings)


async def handed(service: PushChannel, **more: Any) -> Outcome:  # noqa: ANN401 - fields of a message
    """What came of one message."""
    made = msgspec.convert(message(1, **{"channel": "push", **more}), Message)
    [outcome] = await service.hand_over([made])
    await service.stop()
    return outcome


async def test_web_push_is_encrypted_for_the_browser_alone(receiver: Receiver) -> None:
    """The endpoint sees TTL, topic and a signature; only the browser's key opens the body."""
    outcome = await handed(channel(receiver), to={"push_tokens": [subscription(receiver)]})
    assert outcome.kind == "handed"
    [one] = receiver.posted
    assert one.headers["content-encoding"] == "aes128gcm"
    assert int(one.headers["ttl"]) > 0
    assert len(one.headers["topic"]) == 32
    assert one.headers["authorization"].startswith("vapid t=")
    assert b"cart" not in one.body
    opened = json.loads(
        http_ece.decrypt(one.body, private_key=BROWSER, auth_secret=AUTH, version="aes128gcm")
    )
    assert opened["title"] == "Your cart is still here"
    assert opened["message_id"] == "m1"
    assert opened["tag"] == one.headers["topic"]


async def test_each_device_in_its_own_form(receiver: Receiver) -> None:
    """FCM and APNs by HTTP and JSON, each device once."""
    tokens = [
        "phone",
        {"platform": "ios", "token": "ab" * 32},
        "phone",
        {"platform": "sundial", "token": "x"},
    ]
    outcome = await handed(channel(receiver), to={"push_tokens": tokens}, expires_at="2999-01-01T00:00:00Z")
    assert outcome.kind == "handed"
    by_path = {one.path: one for one in receiver.posted}
    assert len(receiver.posted) == 2
    fcm = json.loads(by_path["/v1/projects/shop/messages:send"].body)["message"]
    assert (fcm["token"], fcm["android"]["ttl"]) == ("phone", "2419200s")
    assert fcm["notification"]["title"] == "Your cart is still here"
    assert by_path["/v1/projects/shop/messages:send"].headers["authorization"] == "Bearer secret"
    apns = by_path["/3/device/" + "ab" * 32]
    assert len(apns.headers["apns-collapse-id"]) <= 64
    assert apns.headers["apns-topic"] == "example.shop"
    assert json.loads(apns.body)["aps"]["alert"]["title"] == "Your cart is still here"
    assert len(apns.body) <= 4_096


async def test_a_recall_is_silent_and_takes_the_place_of_the_message(receiver: Receiver) -> None:
    """The same tag, nothing to be seen."""
    service = channel(receiver)
    await handed(service, to={"push_tokens": ["phone"]})
    await handed(service, to={"push_tokens": ["phone"]}, operation="recall", recall_of="m1", template=None)
    first, second = (json.loads(one.body)["message"] for one in receiver.posted)
    assert first["android"]["collapse_key"] == second["android"]["collapse_key"]
    assert "notification" not in second
    assert second["data"]["recall_of"] == "m1"


async def test_a_device_that_is_gone_bounces_only_when_it_is_the_last(receiver: Receiver) -> None:
    """As long as one of a person's devices takes it, the person is reached."""
    receiver.answers = lambda one: 404 if b'"old"' in one.body else 200
    assert (await handed(channel(receiver), to={"push_tokens": ["old", "new"]})).kind == "handed"
    outcome = await handed(channel(receiver), to={"push_tokens": ["old"]})
    assert (outcome.kind, outcome.reason, outcome.feedback) == ("dead", "bad_address", ("push_bounce",))


@pytest.mark.parametrize(("status", "kind"), [(503, "later"), (429, "later"), (401, "dead"), (0, "doubt")])
async def test_what_answers_mean(receiver: Receiver, status: int, kind: str) -> None:
    """Busy is another time, refused is for good, no answer is a doubt."""
    receiver.answers = lambda _: status
    assert (await handed(channel(receiver), to={"push_tokens": ["phone"]})).kind == kind


async def test_nobody_chooses_whom_we_ask(receiver: Receiver) -> None:
    """An endpoint of a host that is not among push.hosts is asked nothing."""
    given = subscription(receiver)
    outcome = await handed(channel(receiver, "push.example"), to={"push_tokens": [given]})
    assert (outcome.kind, outcome.reason) == ("dead", "bad_address")
    broken = {**given, "keys": {"p256dh": "nonsense", "auth": "x"}}
    assert (await handed(channel(receiver), to={"push_tokens": [broken]})).reason == "bad_address"
    assert receiver.posted == []


@pytest.mark.parametrize(
    "endpoint",
    ["https://[fcm.googleapis.com/x", "https://FCM.googleapis.com:abc/x",
     "https://127.0.0.1:9\\@fcm.googleapis.com/x",
     f"https://{'a' * 64}.fcm.googleapis.com/x"],
)  # fmt: skip
async def test_an_endpoint_that_is_none_is_its_own_messages_trouble(
    topics: Engine, receiver: Receiver, endpoint: str
) -> None:
    """A dead letter; whatever is handed over beside it goes."""
    odd = message(1, channel="push", to={"push_tokens": [{**subscription(receiver), "endpoint": endpoint}]})
    others = [message(number, channel="push", to={"push_tokens": ["phone"]}) for number in (2, 3)]
    await topics.put(odd, *others, channel="push")
    async with working(topics, channel(receiver, "fcm.googleapis.com")) as service:
        await until(lambda: service.count("handed", "push") == 2 and service.count("dead", "push") == 1)
    assert {name: why for name, (why, _) in (await topics.dead("push")).items()} == {"m1": "bad_address"}


@pytest.mark.parametrize(
    "contact", ["push@shop.example", "shop.example", "mailto:push", "https://a.example/x"]
)
def test_a_contact_that_no_push_service_can_write_to_is_refused(receiver: Receiver, contact: str) -> None:
    """At the start, and not when the first browser is to be told something."""
    with pytest.raises(
        BadInput, match=r"push\.contact: found '.+', expected mailto:ADDRESS, or https://HOST"
    ):
        channel(receiver, contact=contact)
    for good in ("mailto:push@shop.example", "https://shop.example"):
        channel(receiver, contact=good)


async def test_a_host_that_nobody_can_ask_for_is_no_address() -> None:
    """Whoever posts there hears of it as of an address that is none, and not by an exception."""
    post = Post(5)
    outcome = await post(f"https://{'a' * 64}.example/x", b"", {})
    await post.close()
    assert (outcome.kind, outcome.reason) == ("dead", "bad_address")


async def test_a_push_without_an_answer_does_not_go_again(topics: Engine, receiver: Receiver) -> None:
    """It may have come: whoever wants it to go once more says so with redrive."""
    receiver.answers = lambda _: 0
    await topics.put(message(1, channel="push", to={"push_tokens": ["phone"]}), channel="push")
    async with working(topics, channel(receiver)) as service:
        await until(lambda: service.count("dead", "push") == 1)
        assert service.repeats("push") == 0
    assert len(receiver.posted) == 1
    said = "no answer to 1 of its handings over: whether it came is not known"
    assert (await topics.dead("push"))["m1"] == ("unknown_outcome", said)


async def test_a_recall_without_an_answer_is_posted_again_as_it_was(
    topics: Engine, receiver: Receiver
) -> None:
    """It shows nothing. The repeat is counted, and whoever takes it knows it by key and tag."""
    answers = iter([0])
    receiver.answers = lambda _: next(answers, 200)
    recall = message(2, channel="push", to={"push_tokens": ["phone"]}, operation="recall", recall_of="m1")
    await topics.put(recall, channel="push")
    async with working(topics, channel(receiver)) as service:
        await until(lambda: service.count("handed", "push") == 1)
        assert service.repeats("push") == 1
    first, second = receiver.posted
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert json.loads(first.body)["message"]["data"] == json.loads(second.body)["message"]["data"]

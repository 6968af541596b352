"""The settings of what listens and tells, declared once each, as in `settings_declared`."""
# ruff: noqa: RUF009 - `setting(...)` is how a field is declared here

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from retarget.times import HOUR, SECOND
from streams.settings_kinds import (
    Count,
    Duration,
    Named,
    Names,
    Pairs,
    Port,
    SomeNames,
    TimeOfDay,
    masked,
    masked_url,
    whole,
)
from streams.settings_source import setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Web:
    """The worker's own pages: /metrics, /health, /ready."""

    host: Named = setting(
        "127.0.0.1",
        "Address to listen on; any other than this machine's own needs web.token.",
        because="open it on purpose: 0.0.0.0 in a container",
    )
    token: str = setting(
        "",
        "What /metrics, and the details of the other pages, ask for as `Authorization: Bearer TOKEN`.",
        because="lags and rule names are nobody else's business; empty: nothing is asked for",
        mask=masked,
    )
    port: Port = setting(9464, "Port to listen on, one per worker; 0: any free one.")
    stalled_after: Duration = setting(
        60 * SECOND,
        "A lane with lag that finishes no batch for this long makes the worker unhealthy.",
        because="longer than a rebalance and a broker's restart take",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Collect:
    """The HTTP entrance for producers, `retarget collect`."""

    host: Named = setting(
        "127.0.0.1",
        "Address to listen on; any other than this machine's own needs collect.write_keys.",
        because="whoever can send events decides what people are sent",
    )
    port: Port = setting(9465, "Port to listen on; 0: any free one.")
    write_keys: Names = setting(
        (),
        "Keys that producers send; web pages show theirs to everybody. None: nothing is asked for.",
        because="with such a key nobody erases people, changes prices or moves clocks",
        mask=masked,
    )
    server_keys: Names = setting(
        (),
        "Keys of servers, which may send every type of event; never write one into a page.",
        mask=masked,
    )
    origins: SomeNames = setting(
        ("*",), "Origins of pages that may send, such as https://shop.example; *: all."
    )
    max_body: Count = setting(
        1_000_000,
        "Requests whose body is longer than this, unpacked, are refused with 413.",
        because="the client libraries send at most half of it",
    )
    max_waiting: Count = setting(
        64_000_000,
        "While bodies of so many bytes wait for Kafka, further requests are answered with 429.",
        because="it bounds the memory whatever the producers and Kafka do",
    )
    patience: Duration = setting(
        10 * SECOND, "Events that Kafka has not confirmed after this are answered with 503, to be sent again."
    )
    purl_target: str = setting(
        "",
        "Page of the shop to which links of messages lead, as https://shop.example/for-you; empty: nowhere.",
    )
    purl_parameter: Named = setting(
        "product", "Parameter of that page in which each product of the message stands."
    )
    purl_revoked: Names = setting((), "Ids of messages whose links lead nowhere any more.")
    heartbeat: Duration = setting(
        10 * SECOND,
        "How often every partition is told the time; 0: never.",
        because="with clock.idle=heartbeat nothing else moves the clock of a lane without events",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """What all channel services have in common, `retarget channel NAME`."""

    host: Named = setting(
        "127.0.0.1",
        "Address to listen on for one-click unsubscribes, /health and /metrics.",
        because="behind the web server that channel.public_url names",
    )
    port: Port = setting(9466, "Port to listen on, one per service; 0: any free one.")
    public_url: str = setting(
        "",
        "Where people reach that port, such as https://news.shop.example; without it no mails are sent.",
        because="mails must say how to unsubscribe, and mail programs post to https addresses only",
    )
    secret: str = setting(
        "",
        "What unsubscribe links are sealed with; the same in all services, and never another later.",
        because="mails live for years, and whoever knows it can unsubscribe people",
        mask=masked,
    )
    templates: str = setting("", "Folder with templates, used before those that ship; empty: only those.")
    addresses: str = setting(
        "",
        "Where addresses are asked for that a message does not have: a URL with {user_id} that answers JSON.",
        because="a shop need not tell addresses to the engine",
        mask=masked_url,
    )
    patience: Duration = setting(
        24 * HOUR, "A message that is refused for the moment is a dead letter after this."
    )
    session: Duration = setting(
        10 * SECOND, "A service that is not heard of for this long loses its partitions to the others."
    )
    waiting: Count = setting(
        20_000,
        "Messages that wait in one partition; beyond, nothing more is read, recalls included.",
        because="they are in memory, and their places are put down with each portion",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Email:
    """How mails leave: the relay that `retarget channel email` hands them to."""

    host: Named = setting("localhost", "The relay; it signs with DKIM, the List-Unsubscribe lines included.")
    port: Port = setting(25, "Its port: 25, 587 for STARTTLS, 465 for TLS from the start.")
    security: Literal["none", "starttls", "tls"] = setting("none", "How the connection is secured.")
    ca_file: str = setting("", "File with the relay's certificate authority; empty: the machine's own.")
    user: str = setting("", "User name at the relay; empty: it asks for none.")
    password: str = setting("", "Password at the relay.", mask=masked)
    sender: Named = setting("Shop <news@shop.example>", "From whom mails are.")
    reply_to: str = setting("", "Where answers go; empty: to the sender.")
    connections: Count = setting(4, "Connections to the relay, and mails under way at once in a partition.")
    timeout: Duration = setting(60 * SECOND, "How long each answer of the relay is waited for.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """Where `retarget channel push` hands push messages to; what is empty is not used."""

    fcm_url: str = setting(
        "", "FCM, https://fcm.googleapis.com, or a gateway that speaks like it.", mask=masked_url
    )
    fcm_project: str = setting("", "The project at FCM.")
    fcm_token: str = setting(
        "", "What FCM is shown as a bearer token; for a gateway with tokens of its own.", mask=masked
    )
    fcm_key_file: str = setting(
        "",
        "JSON file of a service account: FCM's tokens are got by it, and renewed; instead of push.fcm_token.",
        because="FCM's tokens last for an hour",
    )
    apns_url: str = setting(
        "",
        "A gateway that speaks like APNs.",
        because="Apple's own servers speak HTTP/2 only",
        mask=masked_url,
    )
    apns_token: str = setting(
        "", "What APNs is shown as a bearer token; for a gateway with tokens of its own.", mask=masked
    )
    apns_key_file: str = setting(
        "",
        "Apple's .p8 file: provider tokens are signed by it, and renewed; instead of push.apns_token.",
        because="Apple refuses tokens older than an hour, and new ones every 20 minutes or more often",
    )
    apns_key_id: str = setting("", "The id of that key, ten characters.")
    apns_team: str = setting("", "The id of the team that it belongs to.")
    apns_topic: str = setting("", "The app's bundle id.")
    vapid_key: str = setting("", "Private P-256 key for Web Push, in base64url.", mask=masked)
    contact: Named = setting(
        "mailto:push@shop.example",
        "Whom a push service writes to when it has questions: mailto:ADDRESS or https://HOST.",
    )
    hosts: SomeNames = setting(
        ("fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com"),
        "Hosts that endpoints of Web Push may be at, or below.",
        because="whoever sends events could make the service ask any address else",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ads:
    """Where `retarget channel ads` hands changes of audiences to; several destinations are possible."""

    url: str = setting(
        "",
        "A service of yours that batches are posted to, as JSON; empty: into ads.folder, if that is set.",
        mask=masked_url,
    )
    token: str = setting("", "What is shown there as a bearer token.", mask=masked)
    folder: str = setting("", "Folder for batches as files, one each; used without ads.url.")
    meta_url: str = setting(
        "",
        "Meta, https://graph.facebook.com/ with a version, or a gateway like it; empty: not used.",
        because="each destination for itself gets everything, whatever the others do",
        mask=masked_url,
    )
    meta_token: str = setting("", "What Meta is shown as a bearer token.", mask=masked)
    meta_lists: Pairs = setting(
        {}, "Meta's id of each audience, as AUDIENCE=ID; AUDIENCE=- where Meta shall not have it."
    )
    google_url: str = setting(
        "",
        "Google, https://datamanager.googleapis.com, or a gateway that speaks like it; empty: not used.",
        mask=masked_url,
    )
    google_token: str = setting("", "What Google is shown as a bearer token.", mask=masked)
    google_key_file: str = setting(
        "", "JSON file of a service account, as push.fcm_key_file; instead of ads.google_token."
    )
    google_account: str = setting("", "The id of the account at Google Ads.")
    google_lists: Pairs = setting({}, "Google's id of each audience, as for Meta.")
    batch: Annotated[int, whole(1, 10_000)] = setting(
        10_000, "Most changes in a batch.", because="Meta and Google take 10,000 in a call"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sms:
    """Where `retarget channel sms` hands short messages to."""

    url: str = setting("", "A gateway that takes them at /messages, as JSON.", mask=masked_url)
    token: str = setting("", "What it is shown as a bearer token.", mask=masked)
    sender: Named = setting("SHOP", "From whom they are: up to 11 letters, a short code or a number.")
    stop: str = setting(
        "",
        "How marketing messages say that they can be stopped, such as STOP to 12345.",
        because="without a way out none is sent",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Whatsapp:
    """Where `retarget channel whatsapp` hands messages to."""

    url: str = setting(
        "", "WhatsApp, https://graph.facebook.com/ with a version, or a gateway like it.", mask=masked_url
    )
    token: str = setting("", "What it is shown as a bearer token.", mask=masked)
    sender: str = setting("", "The id of the shop's number.")
    templates: str = setting(
        "", "TOML file with the approved templates: for each label name, languages and variables."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Onsite:
    """Where `retarget channel onsite` hands messages to."""

    url: str = setting(
        "", "A service of the site's that takes them at /placements, as JSON.", mask=masked_url
    )
    token: str = setting("", "What it is shown as a bearer token.", mask=masked)
    placement: Named = setting("default", "Where on a page they may be shown; the site knows what it means.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """Where `retarget channel chat` hands offers of advice to."""

    url: str = setting("", "A service of the chat's that takes them at /handovers, as JSON.", mask=masked_url)
    token: str = setting("", "What it is shown as a bearer token.", mask=masked)


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectMail:
    """Where `retarget channel direct_mail` puts what is to be printed."""

    cut_off: TimeOfDay = setting(12 * HOUR, "When the print shop begins each day, in UTC.")

    folder: str = setting("", "Folder for lists (CSV) and proofs (PDF).")
    batch: Count = setting(500, "Most letters in a list.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """What the worker says."""

    format: Literal["text", "json"] = setting("text", "Lines for people, or JSON lines for machines.")
    level: Literal["debug", "info", "warning", "error"] = setting("info", "The least important lines shown.")

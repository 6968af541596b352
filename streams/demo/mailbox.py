"""The mails of the demo: an SMTP server that sends nothing on, and a page that shows what arrived."""

from __future__ import annotations

import asyncio
from collections import deque
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape
from types import TracebackType
from typing import Final, Self, cast

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from streams.listening import Listener

_HOST: Final = "127.0.0.1"
_KEPT: Final = 500
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>{head}'
    "<style>body{{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}}"
    "td{{padding:.3em 1em .3em 0;border-bottom:1px solid #ddd;vertical-align:top}}"
    "pre{{white-space:pre-wrap;background:#f4f4f2;padding:1em}}"
    "iframe{{width:100%;height:36em;border:1px solid #ddd}}"
    "</style><h1>{title}</h1>{body}</html>"
)
# Mails are shown without anything that runs or loads, but their links lead somewhere.
_SANDBOX: Final = "allow-popups allow-popups-to-escape-sandbox"
_OF_MAILS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'unsafe-inline'; sandbox {_SANDBOX}"
}
_SHOWN: Final = ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post")


class Mailbox:
    """An async context manager that takes mails at `port` and shows them at `url`."""

    def __init__(self) -> None:
        self.count = 0
        self._mails: deque[tuple[int, EmailMessage, bytes]] = deque(maxlen=_KEPT)
        self._server: asyncio.Server | None = None
        self._pages = Listener("mailbox", _HOST, 0)

    @property
    def port(self) -> int:
        """Where it takes mails. Raises AssertionError while it is closed."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Where the page is. Raises RuntimeError while it is closed."""
        return f"http://{_HOST}:{self._pages.port}/"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="mailbox", loop=loop), _HOST, 0)
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._list),
                web.get(r"/mail/{number:\d+}", self._mail),
                web.get(r"/mail/{number:\d+}/html", self._html),
                web.get(r"/mail/{number:\d+}/source", self._source),
            ]
        )
        await self._pages.open(app)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pages.close()
        if self._server is not None:
            self._server.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """A mail is here."""
        source = cast("bytes", envelope.content)
        self.count += 1
        self._mails.append((self.count, message_from_bytes(source, policy=default), source))
        return "250 OK"

    async def _list(self, _: web.Request) -> web.Response:
        rows = "".join(
            f"<tr><td>{escape(str(mail['Date']))[:22]}</td><td>{escape(str(mail['To']))}</td>"
            f'<td><a href="/mail/{number}">{escape(str(mail["Subject"]))}</a></td></tr>'
            for number, mail, _ in reversed(self._mails)
        )
        body = f"<p>{self.count:,} mails. Nothing of it has left this machine.</p><table>{rows}</table>"
        return _shown("What the shop has written", body, head='<meta http-equiv="refresh" content="3">')

    async def _mail(self, request: web.Request) -> web.Response:
        number, mail, _ = self._found(request)
        head = "".join(f"{name}: {escape(str(mail[name]))}\n" for name in _SHOWN if mail[name])
        plain = mail.get_body(("plain",))
        text = escape(plain.get_content()) if plain is not None else ""
        frame = f'<iframe sandbox="{_SANDBOX}" src="/mail/{number}/html"></iframe>'
        links = f'<a href="/">All mails</a> <a href="/mail/{number}/source">Source</a>'
        body = f"<p>{links}</p><pre>{head}</pre>{frame}<h2>Plain text</h2><pre>{text}</pre>"
        return _shown(str(mail["Subject"]), body)

    async def _html(self, request: web.Request) -> web.Response:
        _, mail, _ = self._found(request)
        page = mail.get_body(("html",))
        text = page.get_content() if page is not None else ""
        text = text.replace("<head>", '<head><base target="_blank">', 1)
        return web.Response(text=text, content_type="text/html", headers=_OF_MAILS)

    async def _source(self, request: web.Request) -> web.Response:
        """The mail as it came, for a mail program."""
        return web.Response(body=self._found(request)[2], content_type="message/rfc822")

    def _found(self, request: web.Request) -> tuple[int, EmailMessage, bytes]:
        wanted = int(request.match_info["number"])
        for found in self._mails:
            if found[0] == wanted:
                return found
        raise web.HTTPNotFound


def _shown(title: str, body: str, *, head: str = "") -> web.Response:
    return web.Response(
        text=_PAGE.format(title=escape(title), body=body, head=head), content_type="text/html"
    )

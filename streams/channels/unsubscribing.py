"""What the page behind an unsubscribe link shows, in the language that its reader's browser asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, Literal

from aiohttp import web
from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from streams.channels.languages import language_asked_for, speak
from streams.resources import config_dir

#: A button, what is done, what could not be done now, and a link that is none of ours.
State = Literal["ask", "done", "later", "nowhere"]
_STATUS: Final[Mapping[State, int]] = {"ask": 200, "done": 200, "later": 503, "nowhere": 404}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}


def shown(request: web.Request, state: State, more: Mapping[str, str] | None = None) -> web.Response:
    """The page in this state; `more` are headers beside those that keep it from caches and frames."""
    language = language_asked_for(request.headers.get("Accept-Language", ""))
    return web.Response(
        status=_STATUS[state],
        text=_page(language).render(state=state, language=language),
        content_type="text/html",
        headers={**_HEADERS, "Content-Language": language, **(more or {})},
    )


@cache
def _page(language: str) -> Template:
    folder = config_dir() / "templates" / "pages"
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined
    )
    speak(environment, language)
    return environment.get_template("unsubscribe.html")

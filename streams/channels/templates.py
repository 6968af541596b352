"""Templates: Jinja2 in its sandbox; a variable that is missing is told by its name.

A template is one file for both forms of a mail, and those that ship for all languages. It fills the blocks of
a layout that it is given, plain or HTML; in HTML everything that comes from a message is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    UndefinedError,
)
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from retarget.errors import BadInput
from streams.channels.languages import ENGLISH, language_of, speak
from streams.channels.outcomes import Reason
from streams.resources import config_dir

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BLANK: Final = re.compile(r"\n\s*\n")


class NotWritten(Exception):
    """A message cannot be written: `reason` as in dead letters."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


class Templates:
    """The templates of one channel: those of `own`, a folder of the user's, before those that ship.

    Raises BadInput when `own` is no folder.
    """

    def __init__(self, channel: str, own: str = "") -> None:
        if own and not Path(own).is_dir():
            raise BadInput([f"channel.templates: {own} is no folder; expected one with {channel}/ in it"])
        folders = [Path(own) / channel] if own else []
        self._shipped = config_dir() / "templates" / channel
        self._loader = FileSystemLoader([*folders, self._shipped])
        self._made_for: dict[tuple[str, bool], SandboxedEnvironment] = {}

    def block(self, label: str, block: str, values: Mapping[str, Any], *, locale: str | None = None) -> str:
        """One block in plain text, on one line. Raises NotWritten."""
        return " ".join(self._made(label, "layout.txt", values, locale, block).split())

    def text(self, label: str, values: Mapping[str, Any], *, locale: str | None = None) -> str:
        """The whole in plain text. Raises NotWritten."""
        made = self._made(label, "layout.txt", values, locale)
        return (
            re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in made.splitlines())).strip() + "\n"
        )

    def html(self, label: str, values: Mapping[str, Any], *, locale: str | None = None) -> str:
        """The whole in HTML. Raises NotWritten."""
        return self._made(label, "layout.html", values, locale, html=True)

    def _made(
        self, label: str, layout: str, values: Mapping[str, Any], locale: str | None, block: str = "", *,
        html: bool = False,
    ) -> str:  # fmt: skip
        names = _names(label, locale)
        try:
            template = self._template(names, str(values.get("language", ENGLISH)), html=html)
            context = {**values, "layout": layout}
            if not block:
                return template.render(context)
            return "".join(template.blocks[block](template.new_context(context)))
        except TemplateNotFound as missing:
            raise NotWritten("no_template", f"there is no template {missing.message or label}") from None
        except UndefinedError as missing:
            raise NotWritten("missing_variable", f"template {label}: {missing.message}") from None
        except TemplateError as error:
            raise NotWritten("bad_template", f"template {label}: {error}") from None
        except Exception as error:  # noqa: BLE001 - whatever a template of the user's does
            raise NotWritten("bad_template", f"template {label}: {error!r}") from None

    def _template(self, names: Sequence[str], language: str, *, html: bool) -> Template:
        """The first there is: one that ships in the person's language, one of the user's in its own."""
        found = self._environment(ENGLISH, html=html).select_template(list(names))
        if Path(found.filename or "").parent != self._shipped:
            language = language_of((found.name or "").removesuffix(".j2").rpartition(".")[2])
        return self._environment(language, html=html).get_template(found.name or "")

    def _environment(self, language: str, *, html: bool) -> SandboxedEnvironment:
        known = language, html
        if known not in self._made_for:
            self._made_for[known] = _environment(self._loader, language, html=html)
        return self._made_for[known]


def _names(label: str, locale: str | None) -> list[str]:
    """The files for a label, the nearest language first."""
    if not _LABEL.fullmatch(label):
        raise NotWritten("no_template", f"{label[:64]!r} is no name of a template")
    tag = re.split(r"[-_.@]", (locale or "").lower())[0]
    language = [f"{label}.{tag}.j2"] if re.fullmatch(r"[a-z]{2,3}", tag) else []
    return [*language, f"{label}.j2"]


def _environment(loader: FileSystemLoader, language: str, *, html: bool) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=loader, autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    speak(environment, language)
    environment.globals["tongue"] = language
    environment.filters["paragraphs"] = _paragraphs
    environment.filters["listed"] = _listed
    environment.filters["money"] = _money
    return environment


def _paragraphs(text: str) -> Markup:
    """Text in HTML, each paragraph in a `<p>`. Text that is not marked as HTML is escaped."""
    parts = (part.strip() for part in _BLANK.split(escape(text)))
    return Markup("\n").join(Markup("<p>{}</p>").format(Markup(part)) for part in parts if part)  # noqa: S704 - escaped


def _listed(names: Sequence[object], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    texts = [str(name) for name in names]
    return f" {word} ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def _money(amount: float | None, currency: str | None = None) -> str:
    """An amount with two digits, and its currency when that is known."""
    if amount is None:
        return ""
    return f"{amount:,.2f}" + (f" {currency}" if currency else "")

"""Mails: written from templates, handed to a relay by SMTP, with one-click unsubscribe."""

from streams.channels.email.channel import EmailChannel

__all__ = ["EmailChannel"]

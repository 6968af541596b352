"""Channels that hand over many messages as one: audiences of ads, letters to be printed."""

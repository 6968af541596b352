"""Our side of the job: its settings, rules and bundle, ready to run without services."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from retarget.rules.vocabulary import VOCABULARY
from streams.lanes.bundle import Bundle, bundle_of
from streams.rulebook import load_rules
from streams.settings import Settings, load_settings

HERE: Final = Path(__file__).resolve().parent
CONFIG: Final = HERE / "retarget.toml"
RULES: Final = HERE / "rules"


def job_settings() -> Settings:
    """The settings of the job."""
    return load_settings(CONFIG)


def job_bundle(topic: str) -> Bundle:
    """The job's two rules and its settings, for one input topic."""
    return bundle_of(job_settings(), load_rules([RULES], VOCABULARY), [topic])

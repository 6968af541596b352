from __future__ import annotations

import re
from pathlib import Path

from retarget.rules.vocabulary import VOCABULARY
from streams.rulebook import load_rules

PAGE = Path(__file__).resolve().parents[3] / "docs" / "privacy.md"


def test_the_rule_of_the_page_can_be_taken_as_it_is(tmp_path: Path) -> None:
    """The one that asks for a confirmation."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "confirm.yaml").write_text(re.sub(r"^ {2}", "", shown, flags=re.MULTILINE))
    (rule,) = load_rules([tmp_path], VOCABULARY)
    assert (rule.name, rule.purpose) == ("confirm_consent", "transactional")

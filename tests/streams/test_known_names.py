"""Templates and audiences that rules may name: declared beside them, shipped, or named by settings."""

from pathlib import Path
from typing import Final

import pytest

from retarget.errors import BadInput
from retarget.rules.vocabulary import VOCABULARY
from streams.known_names import found_names
from streams.lanes.shelved import own_publication
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import Settings, load_settings

RULE: Final = """\
rule: left
subject: cart
quiet: {after: 30m, opens: add}
steps:
  - channels: [email, direct_mail]
    template: a
    audience: {add: carts}
"""


def settings_of(**said: str) -> Settings:
    """Settings with these words alone; `__` stands for the dot."""
    return load_settings(None, {}, [f"{name.replace('__', '.')}={value}" for name, value in said.items()])


def problems(folder: Path, **said: str) -> list[str]:
    """What is wrong with the rules of that folder, without its name."""
    try:
        load_rules([folder], VOCABULARY, found_names(settings_of(**said)))
    except BadInput as error:
        return [problem.replace(f"{folder}/", "") for problem in error.problems]
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with that rule."""
    (tmp_path / "left.yaml").write_text(RULE)
    return tmp_path


def test_what_is_declared_beside_the_rules_may_be_named(folder: Path) -> None:
    """In one file or several, a channel's template alone or in a list."""
    (folder / "a.names.yaml").write_text("templates: {email: a, direct_mail: [b, a]}\n")
    (folder / "b.names.yml").write_text("audiences: carts\n")

    assert problems(folder) == []


def test_a_template_must_be_known_to_each_channel_that_sends_it(folder: Path) -> None:
    """The letter has none of that name, whatever the mail has; the line is that of the name."""
    (folder / "shop.names.yaml").write_text(
        "templates: {email: [a], direct_mail: [aa]}\naudiences: [carts]\n"
    )

    (found,) = problems(folder)

    assert found.startswith(
        "left.yaml:6: $.steps[0].template: unknown template of direct_mail 'a'; known: aa, "
    )
    assert found.endswith("; nearest: aa; else declare it in a file *.names.yaml beside the rule")


def test_an_audience_to_be_left_must_be_known(folder: Path) -> None:
    """Who stays in because of a misspelt name is shown advertisements for nothing."""
    (folder / "left.yaml").write_text(RULE.replace("{add: carts}", "{remove: carst}"))
    (folder / "shop.names.yaml").write_text("templates: {email: a, direct_mail: a}\naudiences: [carts]\n")

    (found,) = problems(folder)

    assert found.startswith("left.yaml:7: $.steps[0].audience.remove: unknown audience 'carst'; known: ")
    assert "; nearest: carts; " in found


def test_a_template_that_all_variants_replace_is_sent_by_none(folder: Path) -> None:
    """A variant's template must be known to the variant's channels, the step's to those that are left."""
    (folder / "left.yaml").write_text(
        "rule: left\nsubject: cart\nquiet: {after: 30m, opens: add}\nsteps:\n"
        "  - channels: [email]\n    template: none\n    variants:\n"
        "      one: {template: a}\n      two: {channels: [chat], template: b}\n"
    )
    (folder / "shop.names.yaml").write_text("templates: {email: a, chat: b}\n")
    assert problems(folder) == []

    (folder / "shop.names.yaml").write_text("templates: {email: [a, b], chat: a}\n")
    (found,) = problems(folder)
    assert found.startswith("left.yaml:9: $.steps[0].variants.two.template: unknown template of chat 'b'")


@pytest.mark.parametrize("known", ["carts", "carts-dear, carts-small"])
def test_an_audience_by_sets_is_known_by_its_own_name_or_by_all_of_theirs(folder: Path, known: str) -> None:
    """As the platforms have lists: one for each set."""
    rule = RULE.replace(
        "{add: carts}", "{add: carts, sets: {dear: product.price > 9, small: product.price < 9}}"
    )
    (folder / "left.yaml").write_text(rule)
    (folder / "shop.names.yaml").write_text(
        f"templates: {{email: a, direct_mail: a}}\naudiences: [{known}]\n"
    )
    assert problems(folder) == []

    (folder / "shop.names.yaml").write_text(
        "templates: {email: a, direct_mail: a}\naudiences: [carts-dear]\n"
    )
    (found,) = problems(folder)
    assert found.startswith("left.yaml:7: $.steps[0].audience.add: unknown audience 'carts-small'")


def test_what_the_channels_find_is_known(folder: Path) -> None:
    """Templates in the folder of `channel.templates` and in that of WhatsApp, and the lists of platforms."""
    (folder / "shop.names.yaml").write_text("templates: {direct_mail: [a]}\n")
    own = folder / "texts"
    (own / "email").mkdir(parents=True)
    (own / "email" / "a.j2").write_text("")
    (own / "email" / "of-germans.de.j2").write_text("")
    (own / "whatsapp.toml").write_text("[w]\nname = 'w'\nlanguages = ['en']\n")
    said = {"channel__templates": str(own), "ads__meta_lists": "carts=1", "ads__google_lists": "others=2"}

    assert problems(folder, **said) == []
    assert len(problems(folder)) == 2

    found = found_names(settings_of(whatsapp__templates=str(own / "whatsapp.toml"), **said))
    assert found.templates["whatsapp"] == {"w"}
    assert "of-germans" not in found.templates["email"], "people of other languages would get nothing"
    assert "cart-reminder-1" in found.templates["email"] & found.templates["push"]
    assert found.audiences >= {"carts", "others", "cart-left"}


def test_without_a_declaration_nothing_is_refused(folder: Path) -> None:
    """The templates may be known to others only."""
    assert problems(folder) == []


def test_a_worker_does_not_start_with_a_name_that_nobody_knows(folder: Path) -> None:
    """It says where the name stands before it has touched anything."""
    (folder / "shop.names.yaml").write_text("audiences: [carts]\ntemplates: {email: [a], direct_mail: [b]}\n")

    with pytest.raises(BadInput, match=r"left\.yaml:6: \$\.steps\[0\]\.template: unknown template"):
        own_publication(settings_of(rules__dir=str(folder)))


def test_the_rules_that_ship_declare_what_they_name(tmp_path: Path) -> None:
    """A typing error in a copy of them is found."""
    for file in default_rules_dir().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert problems(tmp_path) == []

    rule = tmp_path / "win_back.yaml"
    rule.write_text(rule.read_text().replace("template: win-back", "template: winback"))
    (found,) = problems(tmp_path)
    assert found.startswith("win_back.yaml:13: $.steps[0].template: unknown template of email, direct_mail ")
    assert "nearest: win-back" in found

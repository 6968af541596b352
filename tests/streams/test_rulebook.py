from pathlib import Path

import pytest

from retarget.errors import BadInput
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY as SHOPS
from streams.lanes.publication import decode, encode, publication_of, rules_of
from streams.rulebook import load_documents, load_rules, rule_files
from streams.settings import Settings
from tests.core.rules.shop import VOCABULARY

CART = """\
rule: abandoned_cart   # a comment
subject: cart
quiet: {after: 30m, opens: [add, remove]}
if: >
  cart.size > 0
  and cart.value > 5
steps:
  - {channels: [push], template: cart-1}
"""
ORDER = """\
rule: first_purchase
subject: order
event: purchase
steps:
  - {channels: [email], template: thanks}
"""


def load(*paths: Path) -> tuple[Rule, ...]:
    """The rules at those paths."""
    return load_rules(paths, VOCABULARY)


def problems(folder: Path, *paths: Path) -> list[str]:
    """What is wrong at those paths (else in the folder), without the folder's name."""
    with pytest.raises(BadInput) as raised:
        load(*(paths or (folder,)))
    return [problem.replace(f"{folder}/", "") for problem in raised.value.problems]


def test_a_directory_is_read_by_file_name(tmp_path: Path) -> None:
    """Several documents to a file, comments, other files and test cases beside: the rules in their order."""
    (tmp_path / "b.yml").write_text(CART)
    (tmp_path / "a.yaml").write_text(f"# orders\n---\n{ORDER}---\n# nothing more\n")
    (tmp_path / "a.cases.yaml").write_text("not: a rule")
    (tmp_path / "notes.txt").write_text("not a rule")

    rules = load(tmp_path)

    assert [rule.name for rule in rules] == ["first_purchase", "abandoned_cart"]
    assert rules[1].condition is not None
    assert rules[1].condition.text == "cart.size > 0 and cart.value > 5"


def test_a_single_file_is_read(tmp_path: Path) -> None:
    """`check FILE` takes a file as well as a directory, whatever its ending."""
    file = tmp_path / "one.rule"
    file.write_text(ORDER)

    assert rule_files(file) == [file]
    assert [rule.name for rule in load(file)] == ["first_purchase"]


UNCLOSED = "r.yaml:{}: not YAML ({}, while {} that begins in line 6); check"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CART.replace("abandoned", "Abandoned"), "r.yaml:1: $.rule: found the text 'Abandoned_cart'"),
        (CART.replace("push", "pusch"), "r.yaml:8: $.steps[0].channels[0]: unknown channel 'pusch'"),
        (CART.replace("cart.size", "cart.sise"), "r.yaml:4: $.if: column 1: unknown name 'cart.sise'"),
        (f"{ORDER}---\n{CART.replace('30m', '30')}", "r.yaml:9: $.quiet.after: found the number 30"),
        (f"{ORDER}event: refund\n", "r.yaml:6: found the key 'event' twice, first in line 3; remove one"),
        (f"{ORDER}on: 1\n", "r.yaml:6: $.on: unknown key 'on'"),
        (f"{ORDER}tags: &t [a]\nwhy: *t\n", "r.yaml:7: found an alias; write the value out"),
        (f"{ORDER}? [a]\n: b\n", "r.yaml:6: found a list or mapping as a key; known: names"),
        (
            f'{ORDER}why: "open\nvalue: 1\n',
            UNCLOSED.format(8, "found unexpected end of stream", "scanning a quoted scalar"),
        ),
        (f"{ORDER}why: 2020-99-99\n", "r.yaml:6: found '2020-99-99', which is no value"),
        (f"{ORDER}why: 2020-09-09\n", "r.yaml:6: $.why: found a date; known: a sentence"),
        (f"{ORDER}why: !!python/name:os.system\n", "r.yaml:6: not YAML (could not determine a constructor"),
        (
            f"{ORDER}again: [1\n",
            "r.yaml:7: not YAML (expected ',' or ']', but got '<stream end>', while parsing",
        ),
        (f"{ORDER}\tagain: 0\n", "r.yaml:6: not YAML (found character '\\t' that cannot start any token)"),
        (f"{ORDER}why: \x07\n", "r.yaml:1: not YAML (unacceptable character"),
        ("[" * 3000, "r.yaml:1: nested too deep"),
        (f"{ORDER}again: {'9' * 5000}\n", "r.yaml:6: found '99999999999999"),
        ("- 1\n", "r.yaml:1: $: found a list; known: a mapping, a rule, with rule,"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, expected: str) -> None:
    """One problem, with the file and the line where an editor finds it."""
    (tmp_path / "r.yaml").write_text(text)

    found = problems(tmp_path)

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """A file that is not YAML hides nothing of the others."""
    (tmp_path / "a.yaml").write_text("rule: [")
    (tmp_path / "b.yaml").write_bytes(b"rule: a\nwhy: \xfc\n")
    (tmp_path / "c.yaml").write_text(CART)
    (tmp_path / "d.yaml").write_text(CART.replace("priority", "x") + "priority: 500\n")

    found = problems(tmp_path, tmp_path / "missing", tmp_path)

    assert [line.partition(" ")[0] for line in found] == [
        "missing:1:",
        "a.yaml:1:",
        "b.yaml:2:",
        "d.yaml:9:",
        "d.yaml:1:",
    ]
    assert found[0] == (
        "missing:1: cannot be read (No such file or directory); check the path and the setting rules.dir"
    )
    assert found[2] == "b.yaml:2: not UTF-8 at byte 13; save the file as UTF-8"
    assert found[4] == "d.yaml:1: $.rule: found 'abandoned_cart' a second time; the first is at c.yaml:1"


def test_no_rules_at_all_is_a_problem(tmp_path: Path) -> None:
    """An empty directory is a wrong path more often than a wish to send nothing."""
    with pytest.raises(BadInput, match=r"no rules; known: files that end in \.yaml"):
        load(tmp_path)


@pytest.mark.parametrize("text", ['rule: "\\ud800"\n', '"\\udfff": 3\n', 'rule: a\nsteps: ["\\ud83d"]\n'])
def test_half_a_character_is_refused(tmp_path: Path, text: str) -> None:
    """YAML can say it by an escape; nothing could be written from it. Any bytes found this one."""
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match="half a character"):
        load_rules([file], VOCABULARY)


BY_SET = """\
rule: carted
subject: cart
quiet: {after: 30m, opens: [add]}
steps:
  - audience: {add: carted, sets: [dear, outdoor]}
"""
DECLARED = """\
outdoor: product.category in ["tents", "bags"]
dear: product.price >= 500
"""


def test_product_sets_stand_beside_the_rules_that_name_them(tmp_path: Path) -> None:
    """For a folder and for a file of it; in the order of the rule; the file itself is no rule."""
    (tmp_path / "carted.yaml").write_text(BY_SET)
    (tmp_path / "shop.sets.yaml").write_text(DECLARED)

    for path in (tmp_path, tmp_path / "carted.yaml", tmp_path / "shop.sets.yaml"):
        (rule,) = load(path)
        assert rule.steps[0].audience is not None
        assert {name: one.text for name, one in rule.steps[0].audience.sets.items()} == {
            "dear": "product.price >= 500",
            "outdoor": 'product.category in ["tents", "bags"]',
        }


def test_a_set_is_declared_once_in_a_folder(tmp_path: Path) -> None:
    """What is wrong with sets has their own file and line; for a set that is missing the nearest is named."""
    (tmp_path / "carted.yaml").write_text(BY_SET)
    (tmp_path / "a.sets.yaml").write_text(DECLARED.replace("dear", "deer"))
    (tmp_path / "b.sets.yaml").write_text("# again\noutdoor: product.margin > 3\n")

    twice, missing = problems(tmp_path)
    assert twice.startswith("b.sets.yaml:2: $.outdoor: found the product set 'outdoor' a second time")
    assert twice.endswith("the first is at a.sets.yaml:1")
    said = "unknown product set 'dear'; known: deer, outdoor; nearest: deer"
    assert missing == f"carted.yaml:5: $.steps[0].audience.sets[0]: {said}"


def test_a_set_that_changes_is_another_version_of_its_rules(tmp_path: Path) -> None:
    """Whoever gets the rules by the topic has them with their sets, and understands them alike."""
    (tmp_path / "carted.yaml").write_text(BY_SET)
    (tmp_path / "shop.sets.yaml").write_text(DECLARED)
    documents, (rule,) = load_documents([tmp_path], SHOPS)
    publication = publication_of(Settings(), documents)

    assert rules_of("x", decode("x", encode(publication))) == (rule,)
    (tmp_path / "shop.sets.yaml").write_text(DECLARED.replace("500", "400"))
    (changed,) = load(tmp_path)
    assert changed.version != rule.version

"""The threat model makes no statement without a test, and names no test that there is not."""

import re

import pytest

from tests.docs.named_tests import ENDS_WITH_TESTS, ROOT, TEST, found_in

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ATTACKERS = ("lab", "member", "neighbour", "visitor")


def sections() -> dict[str, str]:
    """The text of each section, by attacker and heading."""
    found = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        attacker, *halves = re.split(r"^### ", part, flags=re.MULTILINE)
        for half in halves:
            heading, _, text = half.partition("\n")
            found[f"{attacker.splitlines()[0]}: {heading}"] = text.strip()
    return found


def statements() -> list[str]:
    """Every list item of the page."""
    texts = "\n\n".join(sections().values())
    return [item.strip() for item in re.split(r"^- ", texts, flags=re.MULTILINE)[1:]]


def test_each_attacker_has_what_they_cannot_and_what_they_can():
    headings = list(sections())
    assert len(headings) == 2 * len(ATTACKERS)
    for attacker in ATTACKERS:
        mine = [heading for heading in headings if heading.startswith(f"A hostile {attacker}:")]
        assert [heading.rpartition(" ")[2] for heading in mine] == ["cannot", "can"]


@pytest.mark.parametrize("heading", sections())
def test_a_section_is_a_list_of_statements_and_nothing_else(heading: str):
    text = sections()[heading]
    assert text.startswith("- ")
    assert [line for line in text.splitlines() if not line.startswith(("- ", "  "))] == []


@pytest.mark.parametrize("statement", statements(), ids=lambda text: text[:50])
def test_a_statement_ends_with_its_tests_and_each_of_them_exists(statement: str):
    assert re.fullmatch(ENDS_WITH_TESTS, statement, re.DOTALL), (
        "it has to end with — `tests/...::test_...`"
    )
    named = re.findall(TEST, statement)
    assert [f"{file}::{name}" for file, name in named if name not in found_in(file)] == []


def test_every_attack_of_the_suite_is_on_the_page():
    attacks = {
        f"{path.relative_to(ROOT)}::{name}"
        for path in (ROOT / "tests" / "security").glob("test_*.py")
        for name in found_in(str(path.relative_to(ROOT)))
    }
    assert attacks
    assert sorted(attack for attack in attacks if f"`{attack}`" not in PAGE) == []

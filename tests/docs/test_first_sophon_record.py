"""Every behaviour and weakness of the first Sophon has its line, and each line its tests."""

import re

import pytest

from tests.docs.named_tests import ENDS_WITH_TESTS, ROOT, TEST, found_in

PAGE = (ROOT / "docs" / "decisions" / "0004-first-sophon.md").read_text(encoding="utf-8")
CHECKLIST = "tests/web/test_first_sophon.py"
NUMBERS = (
    [f"T{number:02}" for number in range(1, 29)]
    + [f"D{number:02}" for number in range(1, 26)]
    + [f"W{number}" for number in range(1, 34)]
)
LINE = re.compile(r"\*\*([TDW]\d+)\*\* \*(\w+)\*: ", re.DOTALL)
WORDS = {"T": {"same", "other"}, "D": {"same", "other"}, "W": {"gone", "stays"}}


def lines() -> list[str]:
    """Every list item about a number."""
    items = re.split(r"^- ", PAGE, flags=re.MULTILINE)[1:]
    return [item.partition("\n\n")[0].strip() for item in items if item.startswith("**")]


def test_every_number_has_one_line_in_order():
    assert [LINE.match(line)[1] for line in lines()] == NUMBERS  # type: ignore[index]


@pytest.mark.parametrize("line", lines(), ids=lambda line: line[:7].strip("*"))
def test_a_line_has_its_word_and_names_tests_that_exist(line: str):
    number, word = LINE.match(line).groups()  # type: ignore[union-attr]
    assert word in WORDS[number[0]]
    assert re.fullmatch(ENDS_WITH_TESTS, line, re.DOTALL), "it has to end with — `tests/...`"
    assert [test for test in re.findall(TEST, line) if test[1] not in found_in(test[0])] == []


def test_every_test_of_the_checklist_stands_at_its_number():
    for name in found_in(CHECKLIST):
        letter, number = name[5].upper(), int(name[6:8])
        own = f"{letter}{number}" if letter == "W" else f"{letter}{number:02}"
        [line] = [line for line in lines() if LINE.match(line)[1] == own]  # type: ignore[index]
        assert f"`{CHECKLIST}::{name}`" in line

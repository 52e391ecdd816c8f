"""What pages of the documentation say about tests: that there is one of a name."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEST = r"`(tests/[\w/]+\.py)::(test_\w+)`"
"""How a page names a test: its file, and its name."""

ENDS_WITH_TESTS = rf".+\s—\s+{TEST}(?:,\s+{TEST})*"


@cache
def found_in(file: str) -> frozenset[str]:
    """The names of the tests that pytest collects from a file."""
    path = ROOT / file
    if not path.is_file() or not path.name.startswith("test_"):
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = [one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(one.name for one in functions if one.name.startswith("test_"))

"""Documentation that is made from code says what the code says, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from sophon_hub.reference import PAGES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_as_the_code_would_write_it_now(name: str):
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run: make docs"


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("images/**/README.md")]


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [
        link
        for link in links
        if not link.startswith(("http://", "https://", "mailto:"))
        and not (page.parent / link).exists()
    ]
    assert missing == []


def test_contributing_names_only_places_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = re.findall(r"`((?:sophon_hub|templates|images|tests)/[^`]*)`", text)
    assert places
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_readme_and_make_name_the_same_commands():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named
    assert [verb for verb in named if not re.search(rf"^{verb}:", makefile, re.M)] == []


def test_the_table_of_images_has_a_row_for_every_image():
    """After an image was added: make image-table."""
    page = (ROOT / "docs" / "reference" / "images.md").read_text(encoding="utf-8")
    images = {file.parent.name for file in ROOT.glob("images/*/Dockerfile")}
    assert set(re.findall(r"^\| `([a-z]+)` \|", page, re.M)) == images

"""Slugs: what may be one, and what is made of a name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jupyterhub.slugs import is_valid_safe_slug

from sophon_hub import names

API_MD_RESERVED = (
    "new edit api admin static settings members projects groups labs events search help login"
    " logout hub user services health me try tmp"
)

almost_slugs = st.text("abz059-_. A", max_size=52)
slugs = st.from_regex(names.SLUG_PATTERN, fullmatch=True).filter(
    lambda slug: names.slug_problem(slug) is None
)
both_kinds = pytest.mark.parametrize("lab", [False, True], ids=["project", "lab"])


@pytest.mark.parametrize("slug", ["a", "0", "optics", "a-b-c", "2d-lens", "x" * 48])
def test_small_letters_digits_and_single_hyphens_make_a_slug(slug: str) -> None:
    assert names.slug_problem(slug) is None
    assert names.is_slug(slug)


@pytest.mark.parametrize(
    "slug",
    [
        *["", "-", "-a", "a-", "a--b", "A", "ä", "a_b", "a.b", "a b", "a/b", "../a", "a\n", "\na"],
        *["%2e", "\u0430bc", "\uff41bc", "a\u200bb", "a\u00adb", "caf\u0065\u0301", "\u0661"],
        *["a\x00", "<b>", "x" * 49],
    ],
)
def test_nothing_else_is_a_slug_and_look_alikes_least_of_all(slug: str) -> None:
    assert names.slug_problem(slug)
    assert not names.is_slug(slug)


@pytest.mark.parametrize("slug", [*API_MD_RESERVED.split(), "project-x", "tmp-1"])
@both_kinds
def test_words_with_a_meaning_of_their_own_are_reserved(slug: str, lab: bool) -> None:
    assert names.slug_problem(slug, lab=lab) == "This word is reserved; choose another."


@pytest.mark.parametrize("slug", ["news", "tries", "project", "projectx", "tmpx", "my-project-x"])
def test_words_that_only_resemble_reserved_ones_are_free(slug: str) -> None:
    assert names.slug_problem(slug) is None


@given(almost_slugs)
@example("a" * 30)
@example("a" * 31)
@example("project-x")
def test_a_lab_slug_is_always_a_server_name_that_jupyterhub_takes(text: str) -> None:
    if names.slug_problem(text, lab=True) is None:
        assert is_valid_safe_slug(text)


@given(almost_slugs)
@example("a" * 31)
def test_a_lab_slug_is_only_refused_when_jupyterhub_refuses_it_or_we_reserved_it(text: str) -> None:
    if is_valid_safe_slug(text) and "--" not in text:
        problem = names.slug_problem(text, lab=True)
        assert problem is None or "reserved" in problem


@given(st.text(max_size=80))
@example("Project X")
@example("tmp 1")
@example("New")
@example("3D")
@example("project " + "y" * 60)
@example("量子")
@example("\ud800")
@both_kinds
def test_a_slug_made_of_any_name_is_valid(lab: bool, name: str) -> None:
    assert names.slug_problem(names.make_slug(name, lab=lab), lab=lab) is None


@given(slugs)
def test_a_slug_stays_what_it_is(slug: str) -> None:
    assert names.make_slug(slug[: names.MAX_SLUG]) == slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Quantum Optics", "quantum-optics"),
        ("  Grüße & Übungen! ", "gru-e-ubungen"),
        ("Straße", "strasse"),
        ("École d'été", "ecole-d-ete"),
        ("a__b", "a-b"),
        ("Projects", "x-projects"),
        ("Project X", "x-project-x"),
        ("tmp 5", "x-tmp-5"),
    ],
)
def test_a_slug_is_made_by_folding_accents_and_joining_words(name: str, slug: str) -> None:
    assert names.make_slug(name) == slug.replace("gru-e", "grusse")


@pytest.mark.parametrize("name", ["量子光学", "Физика", "🙂", "---", "\u200b"])
def test_names_without_latin_letters_give_random_slugs_that_differ(name: str) -> None:
    first, second = names.make_slug(name), names.make_slug(name)
    assert first.startswith("x-")
    assert first != second
    assert names.make_slug(name, lab=True).startswith("lab-")


def test_a_lab_slug_starts_with_a_letter_even_when_the_name_does_not() -> None:
    assert names.make_slug("2027 3D model", lab=True) == "d-model"
    assert names.make_slug("2027", lab=True).startswith("lab-")


@given(slugs, st.integers(2, 10**9))
@example("project", 2)
@example("x" * 48, 2)
@example("a-" * 23 + "bc", 2)
@both_kinds
def test_the_numbered_slug_of_a_valid_one_is_valid_and_ends_in_its_number(
    lab: bool, slug: str, number: int
) -> None:
    base = names.make_slug(slug, lab=lab)
    numbered = names.numbered_slug(base, number, lab=lab)
    assert names.slug_problem(numbered, lab=lab) is None
    assert numbered.endswith(f"-{number}")


def test_numbers_replace_the_end_of_a_slug_that_is_as_long_as_it_may_be() -> None:
    assert names.numbered_slug("x" * 48, 2) == "x" * 46 + "-2"
    assert names.numbered_slug("x" * 30, 10, lab=True) == "x" * 27 + "-10"
    assert names.numbered_slug("a" * 45 + "-bc", 2) == "a" * 45 + "-2"

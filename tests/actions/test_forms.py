"""Every field of every form, with everything that may arrive in it."""

import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophon_hub.actions import forms, material_forms
from sophon_hub.actions.forms import Form
from sophon_hub.actions.keeping import KeepWish
from sophon_hub.errors import Invalid
from sophon_hub.models import AccessMode, DatasetKind, MaterialKind, MemberRole, Visibility

MEGABYTE = 1024**2
WRONG_TYPES_FOR_TEXT = [1, 1.5, True, [], ["a"], {}, {"a": 1}, b"a"]
INVISIBLE = [
    "",
    " ",
    "\t\n",
    "\u200b",
    "\u00a0\u2003",
    "\u00ad",
    "\u2060\ufeff",
    "\u3164",
    "\u2800",
]
CONTROL = ["a\x00b", "a\x07b", "a\x1bb", "a\x7fb", "a\x85b"]
BIDI = [f"a{sign}b" for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
SURROGATES = ["\ud800", "a\udfffb"]
LINE_BREAKS = ["a\nb", "a\rb", "a\tb", "a\u2028b", "a\u2029b"]

BAD_TEXT = [*WRONG_TYPES_FOR_TEXT, None, *CONTROL, *BIDI, *SURROGATES]
HTML = '<script>alert("1")</script> & <b>'
GOOD_TEXT = [
    ("a", "a"),
    ("  a b  ", "a b"),
    ("e\u0301", "é"),
    (HTML, HTML),
    ("👩\u200d🔬 量子", "👩\u200d🔬 量子"),
    ("عربي", "عربي"),
    ("a" * 200, "a" * 200),
    ("../../etc/passwd", "../../etc/passwd"),
    ("' OR 1=1 --", "' OR 1=1 --"),
]
BAD_SLUGS = [
    *WRONG_TYPES_FOR_TEXT,
    *["", " a", "a ", "A", "a_b", "a--b", "-a", "a-", "ä", "\u0430", "a\x00", "\ud800", "a\n"],
    *["new", "project-x", "tmp-1", "../a", "a/b", "<b>", "x" * 49],
]
WRONG_WORDS = [None, 1, True, [], {}, "", "PUBLIC", "OPEN", "Owner", "public ", "admin", "\x00"]
WRONG_NUMBERS = ["1", "", True, False, [], {}, -1, 0, 10**400, float("nan"), float("inf")]

# kind of field -> values that are refused, values that are taken with what becomes of them
KINDS: dict[str, tuple[list[Any], list[tuple[Any, Any]]]] = {
    "name": ([*BAD_TEXT, *INVISIBLE, *LINE_BREAKS, "a" * 201], GOOD_TEXT),
    "name or null": (
        [value for value in [*BAD_TEXT, *INVISIBLE, "a" * 201] if value is not None],
        [(None, None), *GOOD_TEXT],
    ),
    "description": (
        [*BAD_TEXT, "a" * (64 * 1024 + 1), "ä" * (32 * 1024 + 1)],
        [
            *GOOD_TEXT,
            ("", ""),
            (" \n ", ""),
            ("# A\r\n\tb", "# A\n\tb"),
            ("a\rb\u2028c\u2029d", "a\nb\nc\nd"),
            ("ä" * (32 * 1024), "ä" * (32 * 1024)),
        ],
    ),
    "message": (
        [*BAD_TEXT, "a" * 1001],
        [*GOOD_TEXT, ("", ""), ("a\nb", "a\nb"), ("ä" * 1000, "ä" * 1000)],
    ),
    "slug": (BAD_SLUGS, [("a", "a"), ("2d-lens", "2d-lens"), ("x" * 48, "x" * 48), (None, None)]),
    "lab slug": (
        [*BAD_SLUGS, "2d", "x" * 31],
        [("a", "a"), ("d2-lens", "d2-lens"), ("x" * 30, "x" * 30), (None, None)],
    ),
    "visibility": (WRONG_WORDS, [(str(word), word) for word in Visibility]),
    "visibility or null": (
        [word for word in WRONG_WORDS if word is not None],
        [*[(str(word), word) for word in Visibility], (None, None)],
    ),
    "access": (WRONG_WORDS, [(str(word), word) for word in AccessMode]),
    "material kind": (WRONG_WORDS, [("repository", MaterialKind.REPOSITORY)]),
    "inner path": (
        [*WRONG_TYPES_FOR_TEXT, None, *SURROGATES, "", "/a", "a/", "a//b", "./a", "a/../b", "\0"],
        [("a", "a"), (" a b ", " a b "), ("e\u0301/-x", "e\u0301/-x"), (HTML, HTML)],
    ),
    "dataset kind": (WRONG_WORDS, [(str(word), word) for word in DatasetKind]),
    "role": (WRONG_WORDS, [(str(word), word) for word in MemberRole]),
    "moment": (
        [
            *[1, 1.5, True, [], {}, "", "tomorrow", "2027-13-01T00:00:00Z", "2027-01-31\x00"],
            *["2027-01-31", "2027-01-31T12:00:00", "2027-01-31T12:00:00+99:00", "\ud800"],
            *["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "1" * 5000],
        ],
        [
            (None, None),
            ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
            ("2027-01-31T12:00:00.5+02:00", datetime(2027, 1, 31, 10, 0, 0, 500000, UTC)),
        ],
    ),
    "cores": ([*WRONG_NUMBERS, 0.09, 1024.1], [(None, None), (0.1, 0.1), (2, 2.0), (1024, 1024)]),
    "bytes": (
        [*WRONG_NUMBERS, 1e9, 64 * MEGABYTE - 1, 2**50 + 1],
        [(None, None), (64 * MEGABYTE, 64 * MEGABYTE), (2**50, 2**50)],
    ),
    "truth": (["true", "", 0, 1, None, [], {}], [(True, True), (False, False)]),
    # looked up by the action, which knows what there is
    "word": ([*WRONG_TYPES_FOR_TEXT, None], [("a", "a"), ("", ""), ("\x00", "\x00")]),
    "word or null": ([*WRONG_TYPES_FOR_TEXT], [("a", "a"), ("", ""), (None, None)]),
}  # fmt: skip

FIELDS: dict[type[Form], dict[str, str]] = {
    forms.NewGroup: {
        "name": "name",
        "slug": "slug",
        "description": "description",
        "visibility": "visibility",
        "access": "access",
    },
    forms.GroupChanges: {
        "name": "name",
        "description": "description",
        "visibility": "visibility",
        "access": "access",
    },
    forms.MemberSettings: {"role": "role", "expires_at": "moment"},
    forms.JoinMessage: {"message": "message"},
    forms.Approval: {"role": "role"},
    forms.NewProject: {
        "group": "word",
        "name": "name",
        "slug": "slug",
        "description": "description",
        "visibility": "visibility or null",
    },
    forms.ProjectChanges: {
        "name": "name",
        "description": "description",
        "visibility": "visibility",
        "group": "word",
    },
    forms.NewLab: {
        "name": "name",
        "slug": "lab slug",
        "image": "word or null",
        "internet": "truth",
        "restart_on_removal": "truth",
        "cpu_limit": "cores",
        "memory_limit": "bytes",
    },
    forms.LabChanges: {
        "name": "name",
        "image": "word",
        "internet": "truth",
        "restart_on_removal": "truth",
        "cpu_limit": "cores",
        "memory_limit": "bytes",
    },
    forms.PersonalChanges: {"image": "word or null"},
    forms.LabStart: {"clean_up": "truth"},
    forms.LessonOpening: {"use_image": "truth"},
    forms.NewDataset: {
        "name": "name",
        "slug": "slug",
        "description": "description",
        "licence": "message",
        "source": "message",
        "visibility": "visibility or null",
        "group": "word",
        "kind": "dataset kind",
        "location": "message",
    },
    forms.Publication: {
        "name": "name",
        "slug": "slug",
        "description": "description",
        "licence": "message",
        "source": "message",
        "visibility": "visibility or null",
        "folder": "message",
    },
    forms.DatasetChanges: {
        "name": "name",
        "description": "description",
        "licence": "message",
        "source": "message",
        "visibility": "visibility",
    },
    material_forms.MaterialSource: {
        "kind": "material kind",
        "lab": "word",
        "folder": "message",
        "url": "message",
        "branch": "message",
    },
    material_forms.MaterialChanges: {"for_visitors": "truth"},
    material_forms.DeliveryWish: {"on_start": "truth"},
    material_forms.FreshCopy: {"path": "inner path"},
    forms.LockReason: {"reason": "message"},
    forms.VisitWish: {"project": "word or null"},
    KeepWish: {"group": "word or null", "name": "name or null", "again": "truth"},
    forms.Confirmation: {"confirm": "word"},
    forms.InstanceChanges: {"name": "name", "description": "description"},
    forms.Nothing: {},
}
NEEDED: dict[type[Form], dict[str, Any]] = {
    forms.NewGroup: {"name": "A"},
    forms.NewProject: {"group": "optics", "name": "A"},
    forms.NewLab: {"name": "A"},
    forms.NewDataset: {"name": "A", "kind": "directory", "location": "/srv/a"},
    forms.Publication: {"name": "A", "folder": "a"},
    forms.MemberSettings: {"role": "member"},
    material_forms.MaterialSource: {"kind": "folder"},
    material_forms.MaterialChanges: {"for_visitors": True},
    material_forms.DeliveryWish: {"on_start": True},
    material_forms.FreshCopy: {"path": "a"},
    forms.VisitWish: {"project": "a"},
    forms.Confirmation: {"confirm": "a"},
}

every_form = pytest.mark.parametrize("form", FIELDS, ids=lambda form: form.__name__)
every_field = pytest.mark.parametrize(
    ("form", "field"),
    [(form, field) for form, fields in FIELDS.items() for field in fields],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)


def read(form: type[Form], **fields: Any) -> Form:
    return form.read({**NEEDED.get(form, {}), **fields})


def refusal(form: type[Form], data: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as raised:
        form.read(data)
    return [(error.field, error.message) for error in raised.value.errors]


def is_sentence(message: str) -> bool:
    return message[0].isupper() and message.endswith(".") and "nput should" not in message


def test_every_field_of_every_form_is_in_the_table() -> None:
    assert {form: set(form.model_fields) for form in Form.__subclasses__()} == {
        form: set(fields) for form, fields in FIELDS.items()
    }


@every_field
def test_a_field_refuses_what_is_wrong_with_a_sentence_under_its_name(
    form: type[Form], field: str
) -> None:
    bad, _ = KINDS[FIELDS[form][field]]
    for value in bad:
        errors = refusal(form, {**NEEDED.get(form, {}), field: value})
        assert [name for name, _ in errors] == [field], ascii(value)
        assert is_sentence(errors[0][1]), (ascii(value), errors[0][1])


@every_field
def test_a_field_takes_what_is_right_cleaned_and_nothing_more(form: type[Form], field: str) -> None:
    _, good = KINDS[FIELDS[form][field]]
    for value, cleaned in good:
        filled = read(form, **{field: value})
        assert getattr(filled, field) == cleaned
        assert type(getattr(filled, field)) is type(cleaned) or field.endswith("_limit")


@every_form
def test_a_field_that_is_needed_may_not_be_missing_and_all_others_may(form: type[Form]) -> None:
    needed = NEEDED.get(form, {})
    form.read(needed)
    for field in needed:
        rest = {name: value for name, value in needed.items() if name != field}
        assert refusal(form, rest) == [(field, "This field is needed.")]


@every_form
@pytest.mark.parametrize(
    "field", ["nonsense", "__class__", "model_config", "changes", "id", "deleted_at", "", "\x00"]
)
def test_a_field_that_does_not_exist_is_refused(form: type[Form], field: str) -> None:
    errors = refusal(form, {**NEEDED.get(form, {}), field: 1})
    assert errors == [(field or "body", "There is no such field.")]


@every_form
@pytest.mark.parametrize("data", [None, [], [["name", "A"]], "name", 1, True], ids=repr)
def test_only_an_object_is_a_form(form: type[Form], data: Any) -> None:
    assert refusal(form, data) == [("body", "Send an object with fields.")]


@every_form
def test_changes_are_the_fields_that_were_sent(form: type[Form]) -> None:
    assert read(form).changes().keys() == NEEDED.get(form, {}).keys()
    for field, kind in FIELDS[form].items():
        value, cleaned = KINDS[kind][1][0]
        filled = form.read({**NEEDED.get(form, {}), field: value})
        assert filled.changes()[field] == cleaned
        assert set(filled.changes()) == {*NEEDED.get(form, {}), field}


def test_all_that_is_wrong_is_said_at_once() -> None:
    errors = refusal(forms.NewGroup, {"slug": "A", "visibility": "all", "x": 1})
    assert {field for field, _ in errors} == {"name", "slug", "visibility", "x"}


def test_the_defaults_are_those_of_the_contract() -> None:
    group = forms.NewGroup.read({"name": "A"})
    assert (group.visibility, group.access) == (Visibility.PUBLIC, AccessMode.MANUAL)
    assert forms.NewProject.read({"name": "A", "group": "g"}).visibility is None
    assert forms.Approval.read({}).role is MemberRole.MEMBER
    assert forms.NewLab.read({"name": "A"}).internet is True


@given(st.text(max_size=250))
def test_a_name_is_either_refused_or_short_trimmed_normalised_and_visible(text: str) -> None:
    try:
        name = forms.InstanceChanges.read({"name": text}).name
    except Invalid:
        return
    assert 1 <= len(name) <= 200
    assert name == name.strip() == unicodedata.normalize("NFC", name)
    assert not {unicodedata.category(letter) for letter in name} & {"Cc", "Cs", "Zl", "Zp"}
    assert forms.InstanceChanges.read({"name": name}).name == name


@given(st.text(max_size=250))
def test_a_description_is_either_refused_or_comes_back_the_same(text: str) -> None:
    try:
        description = forms.InstanceChanges.read({"description": text}).description
    except Invalid:
        return
    assert forms.InstanceChanges.read({"description": description}).description == description

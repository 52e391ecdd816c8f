"""Which software brings lessons."""

import pytest

from sophon_hub.policy.lessons import brings_lessons, image_with_lessons
from sophon_hub.settings import Sophon

IMAGES = {
    "lab": {"image": "lab:1"},
    "course": {"image": "course:1", "skeleton": "/opt/course/lessons"},
    "away": {"image": "away:1", "skeleton": "/opt/course/lessons", "available": False},
    "zoo": {"image": "zoo:1", "skeleton": "/opt/course/lessons", "available": True},
}


@pytest.mark.parametrize(
    ("image", "brings"),
    [("lab", False), (None, False), ("course", True), ("away", False), ("gone", False)],
)
def test_an_image_that_is_there_and_has_a_folder_for_homes_brings_lessons(
    image: str | None, brings: bool
) -> None:
    assert brings_lessons(image, Sophon(images=IMAGES)) is brings


def test_the_default_image_is_the_one_of_who_chose_none() -> None:
    assert brings_lessons(None, Sophon(images=IMAGES, default_image="zoo"))


def test_the_first_image_with_lessons_is_offered() -> None:
    assert image_with_lessons(Sophon(images=IMAGES)) == "course"
    assert image_with_lessons(Sophon(images={"lab": IMAGES["lab"]})) is None

"""Images say by themselves what they are: what the Hub offers, from the labels of a real engine."""

import io
import secrets
import tarfile
from collections.abc import Callable, Iterator

import pytest
from docker.api.client import APIClient

from sophon_hub.settings import Sophon
from sophon_hub.spawner import describe_images

pytestmark = [pytest.mark.docker]

Make = Callable[..., str]


@pytest.fixture
def make_image(docker: APIClient) -> Iterator[Make]:
    """Makes images without content, with labels; they are removed afterwards."""
    made: list[str] = []

    def make(repository: str = "sophon-hub", tag: str = "latest", **labels: str) -> str:
        name = f"test-{secrets.token_hex(4)}"
        archive = io.BytesIO()
        tarfile.open(fileobj=archive, mode="w").close()
        changes = [f'LABEL org.sophon.{key}="{text}"' for key, text in labels.items()]
        docker.import_image_from_data(
            archive.getvalue(), f"{repository}/{name}", tag=tag, changes=changes
        )
        made.append(f"{repository}/{name}:{tag}")
        return name

    yield make
    for reference in made:
        docker.remove_image(reference, force=True)


def test_an_image_for_people_is_offered_as_it_describes_itself(
    docker: APIClient, make_image: Make, settings: Sophon
) -> None:
    name = make_image(
        title="Stars", description="For astronomers.", languages="Python, R", offered="true"
    )

    assert describe_images(settings, docker)[name] == {
        "image": f"sophon-hub/{name}:latest",
        "title": "Stars",
        "description": "For astronomers.",
        "languages": ["Python", "R"],
        "skeleton": "",
        "available": True,
    }


def test_what_make_images_builds_is_offered_but_for_what_is_not_for_people(
    docker: APIClient, settings: Sophon
) -> None:
    found = describe_images(settings, docker)

    assert {"lab", "course", "geo"} <= set(found)
    assert {"base", "tmp", "hub", "web", "database", "debian"}.isdisjoint(found)
    assert found["course"]["title"] == "Course"
    assert (found["course"]["skeleton"], found["lab"]["skeleton"]) == ("/opt/course/lessons", "")


def test_images_that_are_not_for_people_older_or_of_others_are_left_out(
    docker: APIClient, make_image: Make, settings: Sophon
) -> None:
    left_out = {
        make_image(title="Says nothing"),
        make_image(title="Hidden", offered="false"),
        make_image(title="Old", offered="true", tag="0123456789ab"),
        make_image(title="Of others", offered="true", repository="elsewhere.example"),
    }

    assert left_out.isdisjoint(describe_images(settings, docker))


def test_the_setting_chooses_and_names_images_and_labels_fill_in_the_rest(
    docker: APIClient, make_image: Make
) -> None:
    reference = f"elsewhere.example/{make_image('elsewhere.example', title='A', description='B')}"
    images = {"one": {"image": reference, "title": "Ours"}, "two": {"image": reference}}
    found = describe_images(Sophon(images=images, default_image="one"), docker)

    assert list(found) == ["one", "two"]
    assert (found["one"]["title"], found["one"]["description"]) == ("Ours", "B")
    assert (found["two"]["title"], found["two"]["languages"]) == ("A", [])


def test_an_image_that_the_engine_does_not_have_is_offered_as_not_available(
    docker: APIClient,
) -> None:
    images = {"far": {"image": "elsewhere.example/no-such:1"}}
    found = describe_images(Sophon(images=images, default_image="far"), docker)

    assert found["far"]["available"] is False
    assert found["far"]["title"] == "far"

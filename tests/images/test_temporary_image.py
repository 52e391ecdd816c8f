"""What the image for anonymous visitors is: the course, for one person and a short time."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.images.conftest import build
from tests.images.lab_container import Lab, docker
from tests.images.stub_hub import StubHub

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def image() -> str:
    """The temporary lab's image."""
    return build("tmp")


@pytest.fixture(scope="module")
def course_lab(hub: StubHub) -> Iterator[Lab]:
    """A lab of the course, which is what the temporary lab is made from."""
    with Lab(build("course"), hub) as running:
        running.wait_until_it_answers()
        yield running


def switches(lab: Lab) -> tuple[bool, bool]:
    """Whether terminals can be opened, and whether documents are shared."""
    page = lab.ask("lab").body.partition('id="jupyter-config-data" type="application/json">')[2]
    config = json.loads(page.partition("</script>")[0])
    return config["terminalsAvailable"], not config["disableRTC"]


def test_terminals_and_collaboration_are_off_where_they_are_on_in_the_course(
    lab: Lab, course_lab: Lab
) -> None:
    assert switches(course_lab) == (True, True)
    assert switches(lab) == (False, False)
    assert course_lab.ask("api/terminals", method="POST", body={}).status == 200
    assert lab.ask("api/terminals", method="POST", body={}).status in (403, 404)


def test_a_kernel_computes_with_what_the_course_has(lab: Lab) -> None:
    assert lab.ask("api/kernels", method="POST", body={"name": "python3"}).status == 201
    assert lab.sh("python -c 'import bokeh, folium, scipy, oer'") == ""


def test_nothing_asks_for_news_or_pulls_from_elsewhere(lab: Lab) -> None:
    overrides = lab.ask("lab/api/settings/@jupyterlab/apputils-extension:notification").json()

    assert overrides["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert lab.sh(
        "python -c 'import importlib.util as u; print(u.find_spec(\"nbgitpuller\"))'"
    ) == ("None")


def test_it_is_the_course_with_settings_and_nothing_more(image: str) -> None:
    sizes = [
        int(docker("image", "inspect", one, "--format", "{{.Size}}"))
        for one in (image, build("course"))
    ]

    assert 0 <= sizes[0] - sizes[1] < 10_000


def test_people_are_not_offered_it_and_its_home_gets_the_lessons(image: str) -> None:
    labels = json.loads(docker("image", "inspect", image, "--format", "{{json .Config.Labels}}"))

    assert labels["org.sophon.offered"] == "false"
    assert labels["org.sophon.collaboration"] == "false"
    assert labels["org.sophon.skeleton"] == "/opt/course/lessons"

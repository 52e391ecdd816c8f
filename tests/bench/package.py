"""What the package inside labs costs: the same image with it and without, and people who type.

Without it means that an image was made of the lab's in which the package does nothing: the lab
is the stock server with JupyterHub's own way of letting people in.
"""

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from docker.api.client import APIClient
from playwright.sync_api import Browser

from tests.bench.keystrokes import (
    NOTEBOOK,
    TEN,
    TWENTY,
    join,
    site_with_editors,
    type_and_read,
    typists,
    write_notebook,
)
from tests.bench.live import OWNER, Lab, make_labs
from tests.bench.memory import charged_mb
from tests.bench.report import Report
from tests.bench.rtc import typing
from tests.browser import running_chromium
from tests.engine import docker_client
from tests.journeys.jupyterlab import enter
from tests.journeys.site import Site

IMAGE, WITHOUT = "sophon-hub/lab:latest", "sophon-hub/bench-without-package:latest"
KEYS = 40
LOOK_SECONDS = 15
NEVER = 3600.0

DOCKERFILE = f"""
FROM {IMAGE}
USER 0
COPY extension.py /tmp/
RUN package=$(echo /opt/lab/lib/python3*/site-packages/sophon_lab) && rm -rf $package/__pycache__ \\
    && cp --no-preserve=mode /tmp/extension.py $package
USER 1000:1000
"""

DOES_NOTHING = """
from jupyter_server.extension.application import ExtensionApp
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider as SophonIdentityProvider

class SophonLab(ExtensionApp):
    name = "sophon_lab"
"""


def measure(report: Report) -> None:
    """Each lab has ten people who look, ten who type, and twenty who type."""
    with ExitStack() as stack:
        stack.enter_context(_image_without())
        images = {"lab": {"image": IMAGE}, "without": {"image": WITHOUT}}
        site = stack.enter_context(site_with_editors({"SOPHON_IMAGES": json.dumps(images)}))
        report.say("starting a hub")
        site.start()
        owner = site.api(OWNER)
        labs = dict(zip(("with", "without"), make_labs(owner, 2), strict=True))
        owner.expect(200, "PATCH", labs["without"].path, json={"image": "without"})
        join(site)
        browser = stack.enter_context(running_chromium())
        engine = stack.enter_context(contextlib.closing(docker_client()))
        for name, lab in labs.items():
            report.say(f"a lab {name} the package")
            owner.start(lab.path)
            _measure_lab(report, name, site, lab, browser, engine)
            owner.stop(lab.path)
    report.note(
        "of the people two have a browser, whose latency is measured; the others send and take the"
        " same messages, in one document each. Processor time is that of the whole container"
    )


def _measure_lab(
    report: Report, name: str, site: Site, lab: Lab, browser: Browser, engine: APIClient
) -> None:
    (container,) = engine.containers(filters={"label": f"org.sophon.namespace={site.namespace}"})
    meter = _Meter(engine, container["Id"])
    with ExitStack() as stack:
        writer, reader = (
            stack.enter_context(site.browser_of(browser, editor)) for editor in ("ada", "editor2")
        )
        enter(writer, f"{lab.url}/lab")
        write_notebook(writer, lab)
        for page in (writer, reader):
            enter(page, f"{lab.url}/lab", NOTEBOOK)
        with typing(typists(site, lab, TEN, NEVER)), meter.running() as used:
            writer.wait_for_timeout(LOOK_SECONDS * 1000)
        report.add(f"{name}.10_look.processor", "cores", used)
        for editors in (TEN, TWENTY):
            with typing(typists(site, lab, editors)), meter.running() as used:
                seconds = type_and_read(writer, reader, KEYS)
            report.add(f"{name}.{editors}_editors.latency", "ms", seconds)
            report.add(f"{name}.{editors}_editors.processor", "cores", used)
            report.add(f"{name}.{editors}_editors.memory", "MiB", [meter.memory()])


@dataclass
class _Meter:
    """What the container of a lab uses."""

    engine: APIClient
    container: str

    def memory(self) -> float:
        return charged_mb(self.engine, self.container)

    @contextmanager
    def running(self) -> Iterator[list[float]]:
        """The list has the cores that were used, in the middle, once this has ended."""
        used: list[float] = []
        begin, before = time.monotonic(), self._spent()
        yield used
        used.append((self._spent() - before) / (time.monotonic() - begin))

    def _spent(self) -> float:
        told = self.engine.stats(self.container, stream=False, one_shot=True)
        return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


@contextmanager
def _image_without() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="sophon-bench-") as directory:
        (Path(directory) / "Dockerfile").write_text(DOCKERFILE)
        (Path(directory) / "extension.py").write_text(DOES_NOTHING)
        build = ["docker", "build", "--quiet", "--tag", WITHOUT, directory]
        subprocess.run(build, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "rmi", "--force", WITHOUT], check=True, capture_output=True)

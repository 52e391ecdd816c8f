"""Tells running labs that somebody's access has changed, so that what is open ends at once.

A lab that hears nothing asks the Hub by itself, within seconds.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import aiohttp

from sophon_hub import names
from sophon_hub.addresses import Addresses
from sophon_hub.lab_messages import LabMessages
from sophon_hub.secret_files import read_or_make_secret
from sophon_hub.settings import Sophon
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

PATIENCE = aiohttp.ClientTimeout(total=3)
LONG_PATIENCE = aiohttp.ClientTimeout(total=60)
LONGEST_ANSWER = 10_000
"""Bytes of an answer that are read: it comes from a lab, where people can run anything."""
REVALIDATE = "sophon/revalidate"
PROXY_TOKEN_FILE = "proxy-token"  # noqa: S105 - the name of the file that has it


class NoAnswer(Exception):
    """A lab does not answer."""


async def tell_labs(context: Context, accounts: Collection[str]) -> None:
    """Have the running labs of these collaboration accounts look who may be in them."""
    settings = context.settings
    try:
        async with aiohttp.ClientSession(timeout=PATIENCE) as session:
            found = await find_running(session, settings)
            messages, base = LabMessages.of(settings), Addresses.of(settings).base_url
            await asyncio.gather(
                *(
                    _tell(session, messages, lab.target, f"{base}{lab.path}{REVALIDATE}")
                    for lab in found
                    if lab.account in accounts
                )
            )
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("cannot ask the proxy where labs run: %s", error)


@dataclass(frozen=True)
class RunningLab:
    """A lab, or personal lab, that people reach now; ``target`` is where it listens."""

    account: str
    server: str
    target: str
    path: str
    """Below the Hub's base URL."""


async def find_running(session: aiohttp.ClientSession, settings: Sophon) -> list[RunningLab]:
    """The labs that run, and the personal labs; no temporary ones."""
    found = (_running_lab(route) for route in await _routes(session, settings))
    return [lab for lab in found if lab is not None]


async def find_temporary(session: aiohttp.ClientSession, settings: Sophon) -> list[RunningLab]:
    """The temporary labs that run."""
    return [
        RunningLab(route["user"], "", route["target"], names.personal_root(route["user"]))
        for route in await _routes(session, settings)
        if names.is_temporary(route["user"])
    ]


async def _routes(session: aiohttp.ClientSession, settings: Sophon) -> list[dict[str, Any]]:
    """The routes to servers of users.

    The proxy is asked, and what people use to reach labs is left out: that may need a
    certificate, or names that only they can resolve.
    """
    token = read_or_make_secret(settings.data_path / PROXY_TOKEN_FILE)
    url = f"http://127.0.0.1:{settings.proxy_api_port}/api/routes"
    async with session.get(url, headers={"Authorization": f"token {token}"}) as answer:
        answer.raise_for_status()
        routes = (await answer.json()).values()
    return [route for route in routes if route.get("user")]


def _running_lab(route: Any) -> RunningLab | None:
    account, server, target = route["user"], route.get("server_name") or "", route["target"]
    project = names.project_of_account(account)
    if project is not None:
        return RunningLab(account, server, target, names.lab_path(project, server))
    if server or names.is_reserved_username(account):
        return None
    return RunningLab(account, server, target, names.personal_root(account))


async def _tell(
    session: aiohttp.ClientSession, messages: LabMessages, target: str, path: str
) -> None:
    try:
        async with session.post(target + path, headers=messages.headers(path)) as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("the lab %s did not hear who may be in it: %s", path, error)


async def ask_lab(
    context: Context, account: str, server: str, what: str, body: bytes
) -> tuple[int, bytes]:
    """Have a running lab do something; gives status and the begin of what it says.

    Raises:
        NoAnswer: the lab, or the proxy, does not answer.
    """
    settings = context.settings
    try:
        async with aiohttp.ClientSession(timeout=LONG_PATIENCE) as session:
            for lab in await find_running(session, settings):
                if (lab.account, lab.server) != (account, server):
                    continue
                path = f"{Addresses.of(settings).base_url}{lab.path}{what}"
                headers = LabMessages.of(settings).headers(path, body)
                async with session.post(lab.target + path, data=body, headers=headers) as answer:
                    return answer.status, await answer.content.read(LONGEST_ANSWER)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoAnswer from error
    raise NoAnswer

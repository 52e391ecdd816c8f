"""Waiting for the first answer of a server, more closely than the Hub does.

The Hub looks at growing, random intervals and would notice a lab that needs two seconds up to
two seconds late. When `start` returns, the Hub's own first look succeeds.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientError, ClientTimeout
from jupyterhub.httpclient import fetch
from yarl import URL

from sophon_hub import names
from sophon_hub.rehearsal import make_ticket, take_ticket

FIRST_LOOK_SECONDS = 0.05
LAST_LOOK_SECONDS = 0.2
SLOWER = 1.05
LOOKS_BETWEEN_LIFE_SIGNS = 10
ANSWER_SECONDS = 5
REHEARSAL_SECONDS = 15
MOST_REDIRECTS = 8


async def wait_for_answer(url: str, check_alive: Callable[[], Awaitable[None]]) -> None:
    """Return once the server answers; ``check_alive`` raises when it never will.

    There is no end to it: the caller sets the time limit.
    """
    looks, pause = 0, FIRST_LOOK_SECONDS
    while not await _answers(url):
        looks += 1
        if looks % LOOKS_BETWEEN_LIFE_SIGNS == 0:
            await check_alive()
        await asyncio.sleep(pause)
        pause = min(pause * SLOWER, LAST_LOOK_SECONDS)


async def rehearse(page: str, hub: str, account: str) -> None:
    """Enter a temporary lab once, so that no visitor waits for what is slow the first time.

    That is so in the lab and in a Hub that has just been started. Whether it works makes no
    difference. ``page`` is JupyterLab's, at the lab itself; ``hub`` is where the Hub listens.
    """
    ticket = make_ticket(account)
    origins = {True: URL(hub).origin(), False: URL(page).origin()}
    cookies = {True: {names.ENTRY_COOKIE: ticket}, False: {}}
    path = URL(page).relative()
    try:
        for _ in range(MOST_REDIRECTS):
            at_hub = path.path.startswith(URL(hub).path)
            response = await fetch(
                str(origins[at_hub].join(path)),
                headers={"Cookie": "; ".join(f"{k}={v}" for k, v in cookies[at_hub].items())},
                raise_for_status=False,
                allow_redirects=False,
                timeout=ClientTimeout(total=REHEARSAL_SECONDS),
            )
            await response.read()
            cookies[at_hub] |= {cookie.key: cookie.value for cookie in response.cookies.values()}
            if "Location" not in response.headers:
                return
            location = URL(response.headers["Location"], encoded=True)
            path = response.url.join(location).relative()
    except (ClientError, OSError, TimeoutError, ValueError):
        return
    finally:
        take_ticket(ticket)


async def _answers(url: str) -> bool:
    try:
        response = await fetch(
            url,
            raise_for_status=False,
            allow_redirects=False,
            timeout=ClientTimeout(total=ANSWER_SECONDS),
        )
    except (ClientError, OSError, TimeoutError):
        return False
    return bool(response.status < 500)

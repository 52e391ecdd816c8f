"""Waiting for the first answer of a server, more closely than the Hub does.

The Hub looks at growing, random intervals and would notice a lab that needs two seconds up to
two seconds late. When `start` returns, the Hub's own first look succeeds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import ClientError, ClientTimeout
from jupyterhub.httpclient import fetch

FIRST_LOOK_SECONDS = 0.05
LAST_LOOK_SECONDS = 0.2
SLOWER = 1.05
LOOKS_BETWEEN_LIFE_SIGNS = 10
ANSWER_SECONDS = 5
REHEARSAL_SECONDS = 15


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


async def rehearse(page: str, token: str) -> None:
    """Open JupyterLab's page once, so that the first visitor does not wait for what is slow once.

    Whether that works makes no difference. ``token`` is the server's own.
    """
    with contextlib.suppress(ClientError, OSError, TimeoutError):
        response = await fetch(
            page,
            headers={"Authorization": f"token {token}"},
            raise_for_status=False,
            timeout=ClientTimeout(total=REHEARSAL_SECONDS),
        )
        await response.read()


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

"""The Docker engine: one client, and threads enough that one slow call stalls nobody."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import requests.exceptions
from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from docker.utils.utils import kwargs_from_env

CALLS = ThreadPoolExecutor(8, thread_name_prefix="sophon-docker")
PULLS = ThreadPoolExecutor(4, thread_name_prefix="sophon-pull")
"""Pulls take minutes; they have their own threads."""

ENGINE_DOWN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
)
"""What docker-py raises when no engine answers."""

P = ParamSpec("P")
T = TypeVar("T")


def connect() -> APIClient:
    """A client of the engine that the environment names; raises when none answers."""
    return APIClient(version="auto", **kwargs_from_env())


def is_engine_down(error: BaseException) -> bool:
    """Whether the error means that no engine answers (not that it refused something)."""
    if isinstance(error, ENGINE_DOWN):
        return True
    # the client wraps whatever happens while it asks for the engine's version
    return type(error) is DockerException


async def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking Docker call in one of the threads for short calls."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(CALLS, functools.partial(function, *args, **kwargs))


def is_status(error: Any, status: int) -> bool:
    """Whether a Docker error is the engine's answer with this HTTP status."""
    return isinstance(error, APIError) and error.status_code == status

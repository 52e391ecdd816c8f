"""What a method of an address takes and answers: checked at each request, and documented.

Every method of an API handler carries one of the two decorators. So what the OpenAPI document
says of a method and what the method accepts are one thing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sophon_hub.actions.forms import Form, Nothing
from sophon_hub.api.base import ApiHandler

H = TypeVar("H", bound=ApiHandler)
F = TypeVar("F", bound=Form)
P = ParamSpec("P")

SAFE_METHODS = frozenset({"GET", "HEAD"})

Method = Callable[Concatenate[H, P], Awaitable[None]]


@dataclass(frozen=True)
class ListOf:
    """A page of a list."""

    item: type


@dataclass(frozen=True)
class Argument:
    """A query argument; ``schema`` is its JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


Answer = type | ListOf | str | None
"""An object, a list, an answer that is no JSON (its content type), or nothing."""


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    ``answers`` are those that are no error. ``checks_credentials`` is false where an answer must
    be had while the Hub is down. ``refuses`` are errors that other methods do not have.
    """

    answers: Mapping[int, Answer]
    form: type[Form] = Nothing
    arguments: tuple[Argument, ...] = ()
    checks_credentials: bool = True
    refuses: tuple[int, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The query arguments it takes."""
        return frozenset(argument.name for argument in self.arguments)


def operation(
    answers: Mapping[int, Answer],
    *,
    arguments: tuple[Argument, ...] = (),
    checks_credentials: bool = True,
    refuses: tuple[int, ...] = (),
) -> Callable[[Method[H, P]], Method[H, P]]:
    """Describe a method that takes no fields."""
    described = Operation(
        answers, arguments=arguments, checks_credentials=checks_credentials, refuses=refuses
    )

    def decorate(method: Method[H, P]) -> Method[H, P]:
        @wraps(method)
        async def checked(handler: H, /, *args: P.args, **kwargs: P.kwargs) -> None:
            await _admit(handler, described)
            if handler.request.method not in SAFE_METHODS:
                handler.form(Nothing)
            await method(handler, *args, **kwargs)

        return _note(checked, described)

    return decorate


def operation_with(
    form: type[F], answers: Mapping[int, Answer], *, refuses: tuple[int, ...] = ()
) -> Callable[[Callable[Concatenate[H, F, P], Awaitable[None]]], Method[H, P]]:
    """Describe a method that takes the fields of a form, which becomes its first argument."""
    described = Operation(answers, form, refuses=refuses)

    def decorate(method: Callable[Concatenate[H, F, P], Awaitable[None]]) -> Method[H, P]:
        @wraps(method)
        async def checked(handler: H, /, *args: P.args, **kwargs: P.kwargs) -> None:
            await _admit(handler, described)
            await method(handler, handler.form(form), *args, **kwargs)

        return _note(checked, described)

    return decorate


async def _admit(handler: ApiHandler, described: Operation) -> None:
    """Refuse a body that is too large, credentials that do not hold, unknown query arguments."""
    handler.load_body()
    if described.checks_credentials:
        await handler.caller()
    handler.check_arguments(described.names)


def _note(method: Method[H, P], described: Operation) -> Method[H, P]:
    method.__dict__["operation"] = described
    return method


def operations_of(handler: type) -> dict[str, tuple[Operation, str]]:
    """The described methods of a handler, by HTTP method, each with its docstring."""
    found = {}
    for name in ("get", "post", "put", "patch", "delete"):
        method = getattr(handler, name)
        described = getattr(method, "operation", None)
        if isinstance(described, Operation):
            found[name] = (described, method.__doc__ or "")
    return found

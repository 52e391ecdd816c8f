"""Amounts of memory and disk, as people write them."""

from typing import Any

from traitlets import TraitError, Unicode

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def parse_bytes(text: str) -> int:
    """Read an amount of memory such as ``512M`` or ``2G`` as bytes (powers of 1024)."""
    text = text.strip().upper().removesuffix("B")
    unit = text[-1:] if text[-1:].isalpha() else ""
    try:
        amount = int(float(text[: len(text) - len(unit)]) * UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        amount = 0
    if amount <= 0:
        raise ValueError(f"{text!r} is no amount of memory; write for example 512M or 2G")
    return amount


def limit_bytes(text: str) -> int | None:
    """A limit as bytes; an empty one is none."""
    return parse_bytes(text) if text else None


class Amount(Unicode[str, str]):
    """A setting that is an amount; empty where the default is."""

    def validate(self, obj: Any, value: Any) -> str:
        """Refuse what cannot be read."""
        text = str(super().validate(obj, value))
        if text or self.default_value:
            try:
                parse_bytes(text)
            except ValueError as error:
                raise TraitError(f"{self.name}: {error}") from None
        return text

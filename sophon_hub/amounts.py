"""Amounts of memory as people write them."""

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

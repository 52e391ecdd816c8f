"""What a lab shows about a person: name, initials and a colour that is always the same."""

import colorsys
import hashlib

SATURATION = 0.6
LIGHTNESS = 0.24, 0.31
"""Dark enough for white text on any hue."""


def user_info(username: str, display_name: str) -> dict[str, str]:
    """The Hub's ``user_info``, which labs use for carets and the list of people."""
    return {
        "name": username,
        "display_name": display_name,
        "initials": initials(display_name),
        "color": color(username),
    }


def initials(display_name: str) -> str:
    """First letters of the first and the last word: ``AL`` for Ada Lovelace."""
    words = [word for word in display_name.split() if word[0].isalnum()] or [display_name]
    chosen = words[:1] + words[1:][-1:]
    return "".join(word[:1] for word in chosen).upper()


def color(username: str) -> str:
    """A colour as ``#rrggbb``, from a hash of the name."""
    digest = hashlib.sha256(username.encode()).digest()
    hue = int.from_bytes(digest[:4]) / 2**32
    darkest, lightest = LIGHTNESS
    lightness = darkest + (lightest - darkest) * digest[4] / 255
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, SATURATION)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"

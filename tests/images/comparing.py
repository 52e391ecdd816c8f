"""Comparing a picture of a plot with a stored one: strict about the plot, lenient about letters.

Both are made so small that the edges of letters and lines, which differ between machines, melt
into their surroundings. What is left is where there is which colour: that a plot is empty, has
other data or other colours still shows.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter, ImageStat

SMALL = (96, 64)
MEAN = 2.0
"""Greatest mean difference of a channel, of 255."""
SHARE = 0.01
"""Greatest share of the small picture's dots that may differ by more than `VISIBLE`."""
VISIBLE = 32
SIZES = 0.02
"""Greatest difference between widths or heights, as a share."""


def picture_of(file: Path) -> Image.Image:
    """Return the picture that a file has."""
    return Image.open(io.BytesIO(file.read_bytes()))


def small(picture: Image.Image) -> Image.Image:
    """Return the picture without what differs between machines."""
    soft = picture.convert("RGB").filter(ImageFilter.GaussianBlur(4))
    return soft.resize(SMALL, Image.Resampling.BOX)


def difference(seen: bytes, stored: Path) -> str:
    """Return in which way a picture (PNG) differs from the stored one; nothing when it does not."""
    new, old = Image.open(io.BytesIO(seen)), picture_of(stored)
    for one, other in zip(new.size, old.size, strict=True):
        if abs(one - other) > SIZES * other:
            return (
                f"it is {new.size[0]} x {new.size[1]} and should be {old.size[0]} x {old.size[1]}"
            )
    apart = ImageChops.difference(small(new), small(old))
    mean = max(ImageStat.Stat(apart).mean)
    strongest = [max(dot) for dot in apart.get_flattened_data()]
    share = sum(value > VISIBLE for value in strongest) / len(strongest)
    if mean > MEAN or share > SHARE:
        allowed = f"at most {MEAN:g} and {SHARE:.0%} are allowed"
        return f"it differs by {mean:.1f}, and visibly in {share:.1%} of its area; {allowed}"
    return ""

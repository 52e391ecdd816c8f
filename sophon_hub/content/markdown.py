"""Markdown of people's descriptions, rendered and sanitised."""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")

_TAGS = frozenset(
    (  # noqa: SIM905 - a list of words reads better as text
        "a blockquote br code em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr"
        " ul"
    ).split()
)


# one page of a list; of the longest descriptions these are some 60 MB
@lru_cache(maxsize=256)
def render(text: str) -> str:
    """HTML of a description: no scripts, no raw HTML, no images, links without referrer.

    Images are left out, since a picture fetched from elsewhere tells its server who reads.
    """
    return nh3.clean(
        _parser.render(text),
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}, "th": {"align"}, "td": {"align"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )

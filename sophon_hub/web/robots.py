"""What search engines are asked to leave alone: labs, sign-in, and the page that gives labs."""

from tornado.web import RequestHandler

from sophon_hub.web import security
from sophon_hub.web.portal import Portal

PATH = "/robots.txt"
"""Crawlers ask for it here and nowhere else (RFC 9309)."""


class Robots(RequestHandler):
    """The file for crawlers of everything below the hub's base URL."""

    def initialize(self, portal: Portal) -> None:
        """Take the portal's parts from the application."""
        base = portal.addresses.base_url
        closed = (f"{portal.prefix}try", f"{portal.prefix}api/", f"{base}user/", portal.hub_prefix)
        self._text = "User-agent: *\n" + "".join(f"Disallow: {path}\n" for path in closed)
        security.set_headers(self, security.API_POLICY)

    def get(self) -> None:
        """Send it."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(self._text)

    head = get

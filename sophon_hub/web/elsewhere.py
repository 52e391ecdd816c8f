"""What is at no address of hub, portal or a running lab, when labs have domains of their own.

Nobody is recognised here and no cookie is set: a script of the lab whose domain this is could
use it. People are sent to the hub's own domain, scripts are told that the lab does not run.
"""

import json

from tornado.web import RequestHandler

from sophon_hub.web import security
from sophon_hub.web.portal import Portal

STARTING_SECONDS = 2
NOT_RUNNING = 424
"""What the Hub answers to a request for a server that does not run."""


class Elsewhere(RequestHandler):
    """Every path at every host that is not the hub's."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def initialize(self, portal: Portal) -> None:
        """Take the portal's parts from the application."""
        self.addresses = portal.addresses
        self.hub_prefix = portal.hub_prefix
        security.set_headers(self, security.API_POLICY)

    def prepare(self) -> None:
        """Answer; there is nothing that depends on the method alone."""
        request, base = self.request, self.addresses.base_url
        if request.host_name == self.addresses.domain:
            # the proxy knows the portal before the Hub
            self.set_header("Retry-After", str(STARTING_SECONDS))
            self._refuse(503, "The hub is just starting; please try again.")
        elif request.method in {"GET", "HEAD"} and request.path in {"/", base}:
            self.redirect(self.addresses.public_url)
        elif not request.path.startswith(f"{base}user/"):
            self._refuse(404, "There is nothing here.")
        elif request.method in {"GET", "HEAD"} and not self._is_script():
            # uri, not path: what comes after base_url keeps its query and its escapes
            inside = str(request.uri).removeprefix(base)
            self.redirect(f"{self.addresses.origin}{self.hub_prefix}{inside}")
        else:
            self._refuse(NOT_RUNNING, "This lab is not running.")

    def _is_script(self) -> bool:
        """Whether JupyterLab asks in the background; older browsers do not say so themselves."""
        mode = self.request.headers.get("Sec-Fetch-Mode", "navigate")
        return mode != "navigate" or "api" in self.request.path.split("/")

    def _refuse(self, status: int, message: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": message}))

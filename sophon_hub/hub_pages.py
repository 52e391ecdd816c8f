"""What browsers are told about the Hub's own pages: policies, and how to keep cookies.

JupyterHub sends headers of a site's choice with everything, but a policy that lets only our
scripts run needs a new word for each answer. So the policy is made where JupyterHub makes its
own, and templates get the word before they are read.
"""

from collections.abc import Callable
from typing import Any

from jinja2.ext import Extension
from jupyterhub.apihandlers import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from traitlets.config import Config

from sophon_hub import request_ids
from sophon_hub.addresses import Addresses
from sophon_hub.web import security

# templates know the handler of their request by the method that makes addresses of files
NONCE = "{{ static_url.__self__.csp_nonce }}"


class NonceExtension(Extension):
    """Marks the scripts in the Hub's templates as ours; those that values bring stay unmarked."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source of a template with nonces."""
        return security.mark_scripts(source, NONCE)


class HubStaticFiles(CacheControlStaticFilesHandler):
    """Styles, scripts and pictures of the Hub."""

    def set_extra_headers(self, path: str) -> None:
        """Have browsers take files for what they are said to be."""
        super().set_extra_headers(path)  # type: ignore[no-untyped-call]
        self.set_header("X-Content-Type-Options", "nosniff")


def wire_pages(c: Config, addresses: Addresses) -> None:
    """Headers and cookies of the Hub, of the portal's and labs' sessions."""
    cookies = security.cookie_options(is_https=addresses.is_https)
    hub = c.JupyterHub
    hub.jinja_environment_options = {"extensions": [NonceExtension]}
    hub.tornado_settings.update(
        {
            "headers": {**security.PAGE_HEADERS, "Cache-Control": "no-store"},
            "cookie_options": cookies,
            # its pages hand the word to their scripts themselves
            "xsrf_cookie_kwargs": cookies | {"httponly": True},
            "static_handler_class": HubStaticFiles,
        }
    )
    # a lab could set cookies for all of the hub's domain, but none with this prefix, which
    # browsers take from their own host over https only
    hub.cookie_host_prefix_enabled = addresses.keeps_cookies_apart
    c.Spawner.cookie_options = cookies


def watch_scripts() -> None:
    """Let only scripts of ours run on the Hub's pages.

    JupyterHub 6.1 lets a site set one fixed policy only, so replacing the property behind the
    default is the only way to one with a nonce. What a site sets still wins.
    """
    policy = property(_page_policy)
    setattr(BaseHandler, "content_security_policy", policy)  # noqa: B010 - a method to mypy


def name_requests() -> None:
    """Have every answer of the Hub name its request, as those of the portal do.

    Events of sign-ins carry the name. Errors drop headers that handlers have set, and set those
    of this method anew; JupyterHub 6.1 lets a site give fixed ones only.
    """
    upstream: Callable[[Any], None] = BaseHandler.set_default_headers

    def set_default_headers(handler: Any) -> None:
        upstream(handler)
        handler.set_header(request_ids.HEADER, request_ids.of_handler(handler))

    setattr(BaseHandler, upstream.__name__, set_default_headers)


def _page_policy(handler: Any) -> str:
    report = f"report-uri {handler.csp_report_uri}"
    if isinstance(handler, APIHandler):
        # upstream adds its own default-src
        return f"frame-ancestors 'none'; {report}"
    if not hasattr(handler, "csp_nonce"):
        handler.csp_nonce = security.new_nonce()
    return f"{security.hub_policy(handler.csp_nonce)}; {report}"

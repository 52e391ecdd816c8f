"""Putting the portal together: templates, the Hub's login, the application."""

import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH
from jupyterhub.services.auth import HubOAuth
from jupyterhub.utils import url_path_join
from tornado.log import access_log
from tornado.routing import URLSpec
from tornado.util import import_object
from tornado.web import Application, RequestHandler, StaticFileHandler, url

from sophon_hub import paths, request_ids
from sophon_hub.addresses import Addresses
from sophon_hub.secret_files import read_or_make_secret
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import make_engine
from sophon_hub.web import lab_static, robots, security
from sophon_hub.web.elsewhere import Elsewhere
from sophon_hub.web.handlers import METHODS, BaseHandler
from sophon_hub.web.portal import Portal
from sophon_hub.web.routes import NOT_FOUND, ROUTES

HEALTH = "api-health"
STATIC = Path(__file__).resolve().parent.parent / "static"

OTHER = "other"

BAD_REQUEST, OUR_FAULT = 400, 500


class NonceLoader(BaseLoader):
    """Marks the scripts of templates, the Hub's own included, with the answer's nonce.

    It works on the source of templates, before any value is filled in, so that a script that
    came in with a value stays unmarked and does not run.
    """

    def __init__(self, inner: BaseLoader) -> None:
        self.inner = inner

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """The template's source with nonces."""
        source, filename, uptodate = self.inner.get_source(environment, template)
        return security.mark_scripts(source, "{{ csp_nonce }}"), filename, uptodate


class PortalApplication(Application):
    """Counts the answered requests, by name of the route."""

    def __init__(self, portal: Portal, rules: list[URLSpec], **settings: Any) -> None:
        super().__init__(**settings)
        self._metrics = portal.metrics
        self._names = {rule.handler_class: rule.name or OTHER for rule in reversed(rules)}

    def log_request(self, handler: RequestHandler) -> None:
        """Log as Tornado does, and count; of the many files of JupyterLab only what is missing."""
        if handler.get_status() >= HTTPStatus.BAD_REQUEST or not isinstance(
            handler, lab_static.LabStaticFile
        ):
            super().log_request(handler)
        request = handler.request
        is_stream = isinstance(handler, BaseHandler) and handler.is_stream
        self._metrics.observe(
            self._names.get(type(handler), OTHER),
            # anybody can invent methods, and each would be a series of its own
            request.method if request.method in METHODS else OTHER,
            handler.get_status(),
            None if is_stream else request.request_time(),
        )


def log_answer(handler: RequestHandler) -> None:
    """One line an answer, as Tornado writes it, with the id that events of the request carry."""
    request, status = handler.request, handler.get_status()
    level = logging.INFO if status < BAD_REQUEST else logging.WARNING
    access_log.log(
        level if status < OUR_FAULT else logging.ERROR,
        "%d %s %s (%s) %.2fms %s",
        *(status, request.method, request.uri, request.remote_ip),
        *(1000 * request.request_time(), request_ids.of_handler(handler)),
    )


class StaticFiles(StaticFileHandler):
    """Styles, scripts and pictures of the portal."""

    def set_extra_headers(self, path: str) -> None:
        """Have browsers take files for what they are said to be."""
        self.set_header("X-Content-Type-Options", "nosniff")


def make_templates() -> Environment:
    """Templates of the portal, which extend those of the Hub as we override them."""
    hub_templates = str(Path(DATA_FILES_PATH) / "templates")
    loader = ChoiceLoader(
        [
            PrefixLoader({"templates": FileSystemLoader(hub_templates)}),
            FileSystemLoader(
                [str(paths.portal_templates()), str(paths.hub_templates()), hub_templates]
            ),
        ]
    )
    environment = Environment(
        loader=NonceLoader(loader), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment


def make_portal(settings: Sophon, hub_auth: HubOAuth | None = None) -> Portal:
    """The portal's parts, for a process that the Hub started as a service."""
    addresses = Addresses.of(settings)
    hub_auth = hub_auth or HubOAuth.instance(cache_max_age=settings.access_cache_seconds)
    hub_auth.cookie_options = security.cookie_options(is_https=addresses.is_https)
    hub_auth.cookie_host_prefix_enabled = addresses.keeps_cookies_apart
    return Portal(
        settings=settings,
        engine=make_engine(settings.database_url),
        hub_auth=hub_auth,
        templates=make_templates(),
        prefix=hub_auth.base_url,
        hub_prefix=hub_auth.hub_prefix,
        addresses=addresses,
    )


def make_app(portal: Portal) -> Application:
    """The Tornado application with every address of `web.routes`."""
    rules = [
        url(url_path_join(portal.prefix, pattern), target, {"portal": portal}, name=name)
        for pattern, target, name in ROUTES
    ]
    rules.append(url(re.escape(robots.PATH), robots.Robots, {"portal": portal}, name="robots"))
    static = url_path_join(portal.prefix, "static/(.*)")
    rules.append(url(static, StaticFiles, {"path": STATIC}, name="static"))
    shared = url_path_join(portal.prefix, lab_static.PATTERN)
    rules.append(url(shared, lab_static.LabStaticFile, {"portal": portal}, name="lab-static"))
    nothing_here = import_object(NOT_FOUND)
    addresses = portal.addresses
    application = PortalApplication(
        portal,
        rules,
        default_handler_class=Elsewhere if addresses.domain else nothing_here,
        default_handler_args={"portal": portal},
        log_function=log_answer,
        cookie_secret=read_or_make_secret(
            portal.settings.prepare_data_dir() / "portal-cookie-secret"
        ),
        # pages hand the word to their scripts themselves
        xsrf_cookie_kwargs=security.cookie_options(is_https=addresses.is_https)
        | {"httponly": True},
        compress_response=True,
    )
    if addresses.domain:
        # whether all is well is asked at any host: the machine itself has another name
        application.add_handlers(".*", [rule for rule in rules if rule.name == HEALTH])
        inside = f"{re.escape(portal.prefix.rstrip('/'))}(?:/.*)?"
        rules.append(url(inside, nothing_here, {"portal": portal}))
    application.add_handlers(re.escape(addresses.domain) or ".*", rules)
    return application

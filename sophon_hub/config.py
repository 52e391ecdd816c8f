"""One call in ``jupyterhub_config.py`` that makes a JupyterHub a Sophon Hub.

``configure(c)`` only writes configuration: whatever a site sets on ``c`` afterwards wins.
When the program that reads the file is the Hub itself, what would go wrong later is checked
now, and ends the start with one sentence.
"""

import os
import sys
from typing import Any

from jupyterhub.app import JupyterHub
from traitlets.config import Config

from sophon_hub import hub_pages, names, paths, preflight, startup
from sophon_hub.addresses import PORTAL, Addresses, subdomain_hook
from sophon_hub.authenticator import LocalAuthenticator, make_authenticator
from sophon_hub.authenticator.first_accounts import prepare_accounts
from sophon_hub.hub_name import HubName
from sophon_hub.hub_rights import PORTAL_SCOPES, WORKER_SCOPES
from sophon_hub.secret_files import read_or_make_secret
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.spawner import describe_images, ensure_networks, use_settings, visitors_image
from sophon_hub.store import schema

WORKER = "sophon-worker"
LOCAL_PEOPLE = "sophon-local-accounts"
"""Hub group of the people with a password of this hub."""
NOT_ISOLATED = (
    "Trial without containers: labs are plain processes and are <strong>not isolated</strong>"
    " from each other or from this machine. Do not let anybody you do not trust use it."
)


def configure(c: Config, **settings: Any) -> Sophon:
    """Wire everything into the configuration of a JupyterHub.

    Settings come from the keyword arguments, then from ``c.Sophon``, then from ``SOPHON_*``
    environment variables. A setting that cannot work ends the process with a sentence.
    """
    try:
        return wire(c, Sophon(config=c, **settings), starting=JupyterHub.initialized())
    except BadSetting as error:
        raise SystemExit(f"sophon-hub: {error.detail}") from None


def wire(c: Config, settings: Sophon, *, starting: bool) -> Sophon:
    """`configure`, but for the command line and tests: `BadSetting` is raised as it is."""
    preflight.refuse_unsafe(settings, c)
    settings.prepare_data_dir()
    # only a Hub that starts asks the engine; other commands read this file as well
    hub_host = _hub_host(settings) if starting else "127.0.0.1"
    if starting:
        _find_images(settings)
    # whoever makes `Sophon(config=...)` inside the Hub gets exactly these settings
    for name in settings.class_traits(config=True):
        c.Sophon[name] = getattr(settings, name)
    if starting:
        startup.become_the_hub(settings, hub_host)
        _check_database(settings)
        use_settings(settings)
        startup.watch_services_closely()
        hub_pages.watch_scripts()
        hub_pages.name_requests()
    _wire_hub(c, settings, hub_host)
    _wire_proxy(c, settings)
    _wire_addresses(c, settings, Addresses.of(settings))
    _wire_access(c, settings)
    _wire_pages(c, settings)
    if starting and issubclass(c.JupyterHub.authenticator_class, LocalAuthenticator):
        _prepare_accounts(c, settings)
    return settings


def _hub_host(settings: Sophon) -> str:
    """Address the Hub's API listens on: for containers that of their network's gateway."""
    if settings.spawner == "process":
        return "127.0.0.1"
    return ensure_networks(settings).hub_address


def _find_images(settings: Sophon) -> None:
    """Let images say by themselves what they are; from here on, the setting is complete."""
    if settings.spawner == "docker":
        settings.images = describe_images(settings)
        if settings.temporary_image_name == settings.default_image:
            settings.temporary_image = settings.temporary_image or visitors_image()
    settings.images_given = True
    settings.check_images()


def _check_database(settings: Sophon) -> None:
    engine = schema.open_database(settings.database_url)
    try:
        schema.check(engine)
    finally:
        engine.dispose()


def _wire_hub(c: Config, settings: Sophon, hub_host: str) -> None:
    data = settings.data_path
    read_or_make_secret(data / "cookie-secret")
    hub = c.JupyterHub
    hub.cookie_secret_file = str(data / "cookie-secret")
    hub.db_url = settings.hub_database_url
    hub.upgrade_db = True  # the Hub copies its SQLite file before it changes it
    hub.base_url = _base(settings)
    hub.bind_url = f"http://{_in_url(settings.host)}:{settings.port}{_base(settings)}"
    hub.hub_bind_url = f"http://{_in_url(hub_host)}:{settings.hub_port}"
    hub.spawner_class = f"sophon-{settings.spawner}"
    hub.allow_named_servers = True
    hub.named_server_limit_per_user = named_server_limit
    hub.cleanup_servers = False  # labs outlive the Hub
    hub.redirect_to_server = False
    # the proxy counts every byte of an open tab as activity; labs report what people really do
    hub.last_activity_interval = 0
    c.Spawner.poll_interval = 10  # seconds until a lab that died is seen; the default is 30
    hub.services = [_portal(settings), _worker(settings)]


def named_server_limit(handler: Any) -> int:
    """How many named servers the caller may make for one user; 0 means any number.

    The worker makes the labs of collaboration accounts; people have their personal lab and at
    most one more.
    """
    return 0 if getattr(handler.current_user, "kind", "user") == "service" else 1


def _portal(settings: Sophon) -> dict[str, Any]:
    return {
        "name": PORTAL,
        "url": f"http://127.0.0.1:{settings.portal_port}",
        "command": [sys.executable, str(paths.service_script("portal"))],
        "environment": settings.environment(),
        "api_token": read_or_make_secret(settings.data_path / "portal-token"),
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": [],
        "display": False,
    }


def _worker(settings: Sophon) -> dict[str, Any]:
    return {
        "name": WORKER,
        "command": [sys.executable, str(paths.service_script("worker"))],
        "environment": settings.environment() | _engine_environment(),
        "api_token": read_or_make_secret(settings.data_path / "worker-token"),
        "display": False,
    }


def _engine_environment() -> dict[str, str]:
    """Which Docker engine is meant: the Hub keeps that to itself unless it is told otherwise."""
    wanted = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
    return {name: os.environ[name] for name in wanted if name in os.environ}


def _wire_proxy(c: Config, settings: Sophon) -> None:
    proxy = c.ConfigurableHTTPProxy
    proxy.command = [startup.proxy_command()]
    proxy.api_url = f"http://127.0.0.1:{settings.proxy_api_port}"
    proxy.auth_token = read_or_make_secret(settings.data_path / "proxy-token")
    proxy.pid_file = str(settings.data_path / startup.PROXY_PID_FILE)
    proxy.log_level = "warn"


def _wire_addresses(c: Config, settings: Sophon, addresses: Addresses) -> None:
    hub_pages.wire_pages(c, addresses)
    portal = f"http://127.0.0.1:{settings.portal_port}"
    if addresses.base_url == "/":  # else the root belongs to somebody else
        # the Hub's own address of this name gives a file of JupyterHub's, which there is none of
        c.ConfigurableHTTPProxy.extra_routes = {f"{addresses.domain}/robots.txt/": portal}
    if addresses.public_url:
        c.JupyterHub.public_url = addresses.public_url
    if not addresses.domain:
        return
    c.JupyterHub.subdomain_host = addresses.origin
    c.JupyterHub.subdomain_hook = subdomain_hook
    # at a lab's domain there must be no login of the Hub's: a script of the lab could use what
    # campus sign-on gives there unasked. So the Hub is at its own domain only, and the portal
    # takes what is at no known address, such as that of a stopped lab: `web.elsewhere`
    c.JupyterHub.hub_routespec = addresses.domain + addresses.base_url
    c.ConfigurableHTTPProxy.command += ["--default-target", portal]


def _wire_access(c: Config, settings: Sophon) -> None:
    c.JupyterHub.authenticator_class = make_authenticator(settings.authenticator)
    if settings.admin_user:
        c.Authenticator.admin_users = {settings.admin_user}
    c.JupyterHub.extra_user_scopes = {f"access:services!service={PORTAL}"}
    kinds = [kind.__name__ for kind in c.JupyterHub.authenticator_class.mro()]
    if not any(c[name].get("manage_groups") for name in kinds if name in c):
        # else the Hub refuses groups in its configuration, and the worker makes this one
        groups = (names.ALL_ACCOUNTS_GROUP, names.PERSONAL_GROUP, names.TEMPORARY_GROUP)
        c.JupyterHub.load_groups = {group: {"users": []} for group in groups}
    c.JupyterHub.load_roles = [
        {
            "name": "sophon-portal",
            "description": "The portal only looks people up; the worker changes things.",
            "scopes": list(PORTAL_SCOPES),
            "services": [PORTAL],
        },
        {
            "name": "sophon-worker",
            "description": "Keeps hub users, groups and servers in step with the portal.",
            "scopes": list(WORKER_SCOPES),
            "services": [WORKER],
        },
    ]


def _prepare_accounts(c: Config, settings: Sophon) -> None:
    authenticator = c.JupyterHub.authenticator_class(config=c)
    made = prepare_accounts(authenticator)
    if made:
        print(f"The password of {settings.admin_user} is in {made}", flush=True)  # noqa: T201
    # naming them in a group is how the Hub is told at its start that users exist
    usernames = [username for username, _ in authenticator.list_accounts()]
    c.JupyterHub.load_groups[LOCAL_PEOPLE] = {"users": usernames}


def _wire_pages(c: Config, settings: Sophon) -> None:
    c.JupyterHub.default_url = f"{_base(settings)}services/{PORTAL}/"
    c.JupyterHub.template_paths = [str(paths.hub_templates())]
    c.JupyterHub.template_vars = {
        "sophon_url": f"{_base(settings)}services/{PORTAL}/",
        "sophon_name": HubName(settings.database_url),
        "sophon_open_signup": settings.open_signup,
        "sophon_local_accounts": issubclass(c.JupyterHub.authenticator_class, LocalAuthenticator),
    }
    if settings.spawner == "process":
        c.JupyterHub.template_vars["announcement"] = NOT_ISOLATED


def _base(settings: Sophon) -> str:
    inner = settings.base_url.strip("/")
    return f"/{inner}/" if inner else "/"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host

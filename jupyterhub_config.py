"""Configuration of this JupyterHub. Everything Sophon Hub needs is in the one call below.

Settings are environment variables (SOPHON_PORT=9000) or lines like the commented ones; all are
described in docs/reference/settings.md and listed by `sophon-hub settings`. Lines after the
call change JupyterHub itself, and win over what the call has set.
"""

from sophon_hub.config import configure

c = get_config()  # noqa: F821 - JupyterHub defines it for this file

# Where the hub keeps its databases, secrets and logs; and the address people use
# c.Sophon.data_dir = "/var/lib/sophon-hub"
# c.Sophon.port = 8000
# c.Sophon.base_url = "/"
# c.Sophon.public_url = "https://hub.example.edu/"
# c.Sophon.subdomain_host = "https://hub.example.edu"  # see docs/admins.md

# A web server with TLS in front of a hub on loopback; or a certificate of the hub's own
# c.Sophon.public_url = "https://hub.example.edu/"
# c.Sophon.host = "0.0.0.0"
# c.JupyterHub.ssl_cert = "/etc/sophon/fullchain.pem"
# c.JupyterHub.ssl_key = "/etc/sophon/privkey.pem"

# PostgreSQL, for more than a few hundred people; the password comes from ~/.pgpass
# c.Sophon.database_url = "postgresql+psycopg://sophon@127.0.0.1/sophon"

# Campus sign-on in place of local accounts: any JupyterHub authenticator
# c.Sophon.authenticator = "sophon-oauth"  # or sophon-proxy, sophon-cosign: docs/admins.md
# c.SophonOAuthenticator.allow_all = True

# What people may choose for a lab, and what one lab may use
# c.Sophon.images = {
#     "lab": {"image": "sophon-hub/lab:latest", "title": "JupyterLab", "description": "Python"},
# }
# c.Sophon.memory_limit = "2G"
# c.Sophon.cpu_limit = 2.0

configure(c)

# A department's own name on the pages that JupyterHub makes
# c.JupyterHub.template_vars["announcement_login"] = "Accounts: ask at the office, room 12"

# Prometheus reads /services/sophon/metrics and /hub/metrics with a token: docs/admins.md
# c.JupyterHub.services.append({"name": "prometheus", "api_token": "..."})
# c.JupyterHub.load_roles.append(
#     {
#         "name": "prometheus",
#         "scopes": ["read:metrics", "access:services!service=sophon"],
#         "services": ["prometheus"],
#     }
# )

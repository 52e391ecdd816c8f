"""Who is connected, and whether they may be."""

from jupyterhub.singleuser.extension import JupyterHubIdentityProvider

from sophon_lab import extension  # noqa: F401 - a server without the extension must not start


class SophonIdentityProvider(JupyterHubIdentityProvider):
    """JupyterHub's identity provider, of which we know that the extension is there."""

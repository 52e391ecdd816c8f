"""Sophon Hub: research groups, projects and shared labs for JupyterHub."""

__version__ = "0.1.0"

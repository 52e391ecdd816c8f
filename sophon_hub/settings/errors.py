"""What is raised when a setting cannot work."""

from sophon_hub.errors import SophonError


class BadSetting(SophonError):
    """A setting has a value that cannot work; the text says which, and what to set."""

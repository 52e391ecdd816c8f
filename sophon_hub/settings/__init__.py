"""Every setting of Sophon Hub, once: as a trait and as an environment variable.

``SOPHON_PORT=9000`` and ``c.Sophon.port = 9000`` (before ``configure(c)``) mean the same; a
trait set in the configuration file wins. The Hub hands its settings to portal and worker
through the environment (`Sophon.environment`). The help texts are the documentation:
docs/reference/settings.md is generated from them.
"""

import json
import os
from typing import Any, Self

from traitlets import Dict, List, TraitError, TraitType
from traitlets.config import Config, Configurable

from sophon_hub.settings.errors import BadSetting
from sophon_hub.settings.labs import LabSettings
from sophon_hub.settings.site import SiteSettings
from sophon_hub.settings.temporary import TEMPORARY_IMAGE, TemporarySettings

__all__ = ["PREFIX", "BadSetting", "Sophon"]

PREFIX = "SOPHON_"
JSON_TRAITS = (Dict, List)


class Sophon(SiteSettings, LabSettings, TemporarySettings, Configurable):
    """Settings shared by Hub, portal, worker and command line."""

    def __init__(self, config: Config | None = None, **settings: Any) -> None:
        environment = {
            name: self._from_environment(name, trait)
            for name, trait in self.class_traits(config=True).items()
            if PREFIX + name.upper() in os.environ
            and name not in settings
            and not (config is not None and name in config.get("Sophon", {}))
        }
        try:
            super().__init__(config=config, **environment, **settings)
        except TraitError as error:
            raise BadSetting(f"A setting has a wrong value: {error}") from None
        given = {*environment, *settings, *(config.get("Sophon", {}) if config else {})}
        self.images_given = "images" in given
        self.check_images()
        self.check_quotas()

    def check_images(self) -> None:
        """Refuse images that say too little, or that are named and are not there."""
        super().check_images()
        name = self.temporary_image_name
        is_reference = "/" in name or ":" in name
        if self.images_given and name not in self.images and not is_reference:
            raise BadSetting(
                f"The setting temporary_image is {name!r}, which is neither the reference of an"
                f" image nor in images: {', '.join(sorted(self.images))}"
            )

    @property
    def temporary_image_name(self) -> str:
        """Name, or reference, of the image of temporary labs."""
        fitting = TEMPORARY_IMAGE if TEMPORARY_IMAGE in self.images else self.default_image
        return self.temporary_image or fitting

    @property
    def temporary_reference(self) -> str:
        """Reference of the image of temporary labs."""
        name = self.temporary_image_name
        return str(self.images[name]["image"]) if name in self.images else name

    @staticmethod
    def _from_environment(name: str, trait: TraitType[Any, Any]) -> Any:
        text = os.environ[PREFIX + name.upper()]
        try:
            return json.loads(text) if isinstance(trait, JSON_TRAITS) else trait.from_string(text)
        except (TraitError, ValueError) as error:
            raise BadSetting(f"{PREFIX}{name.upper()}={text!r} cannot be read: {error}") from None

    def environment(self) -> dict[str, str]:
        """All settings as environment variables, for the processes the Hub starts."""
        values: dict[str, str] = {}
        for name in self.class_traits(config=True):
            value = getattr(self, name)
            is_text = isinstance(value, str)
            values[PREFIX + name.upper()] = value if is_text else json.dumps(value)
        return values

    @classmethod
    def load(cls) -> Self:
        """Settings of a process that the Hub, or a person, started: from the environment."""
        return cls()

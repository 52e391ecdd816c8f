"""Which software brings lessons."""

from sophon_hub.settings import Sophon


def brings_lessons(image: str | None, settings: Sophon) -> bool:
    """Whether an image, by its name in the setting `images` or the default, brings lessons."""
    described = settings.images.get(image or settings.default_image, {})
    return bool(described.get("skeleton") and described.get("available", True))


def image_with_lessons(settings: Sophon) -> str | None:
    """The name of the first image that brings lessons; None when there is none."""
    names = sorted(settings.images)
    return next((name for name in names if brings_lessons(name, settings)), None)

"""What visitors may try: published material of public projects that offer it to them."""

from sophon_hub.amounts import parse_bytes
from sophon_hub.models import Material, ResearchProject, Visibility
from sophon_hub.settings import Sophon


def trial_problem(material: Material, project: ResearchProject, settings: Sophon) -> str:
    """Why visitors could not try this material if they were offered it; empty when they could."""
    most_files, most = settings.temporary_material_files, settings.temporary_material_size
    if not settings.temporary_labs:
        return "This hub has no temporary labs for visitors."
    if project.visibility is not Visibility.PUBLIC:
        return f"Visitors may try public projects only; this one is {project.visibility}."
    if material.uid is None:
        return "The first version is not published yet."
    if (material.file_count or 0) > most_files:
        return (
            f"Version {material.version} has {material.file_count:,} files, and visitors can be"
            f" given {most_files:,} at most. Publish a smaller folder."
        )
    if (material.size_bytes or 0) > parse_bytes(most):
        return (
            f"Version {material.version} holds more than {most}, the most that visitors can be"
            " given. Publish a smaller folder."
        )
    return ""


def can_be_tried(material: Material | None, project: ResearchProject, settings: Sophon) -> bool:
    """Whether visitors may have this material in a temporary lab, as it is now."""
    if material is None or not material.for_visitors or project.deleted_at is not None:
        return False
    return not trial_problem(material, project, settings)

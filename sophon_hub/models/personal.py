"""Personal labs: everybody's own server, with a home that stays."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sophon_hub.models.base import Base
from sophon_hub.models.people import Person
from sophon_hub.models.servers import HasServer


class PersonalLab(HasServer, Base):
    """The personal lab of one person: to the Hub, that person's default server.

    There is no row until the person, or the Hub, first asks for it. ``image`` is a name from the
    setting `images`, None for the hub's default. ``home_uid`` is the immutable id of the home,
    told by the spawner at the first start; when the account is made anew it changes, and nothing
    else of the row is kept. ``seeded`` are the folders that were copied into the home from an
    image: none is copied a second time. ``wanted`` are files of the image's folder, such as
    notebooks of lessons, that are still to be copied into the home.
    """

    __tablename__ = "personal_labs"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), unique=True)
    home_uid: Mapped[str | None] = mapped_column(String(32))
    image: Mapped[str | None] = mapped_column(String(100))
    seeded: Mapped[list[str]] = mapped_column(JSON, default=list)
    wanted: Mapped[list[str]] = mapped_column(JSON, default=list)

    person: Mapped[Person] = relationship(lazy="raise")

    def launch_settings(self) -> dict[str, Any]:
        """The settings that a running server cannot change."""
        return {"image": self.image, "datasets": self.dataset_uids}

"""What this hub calls itself: one row."""

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import Base


class Instance(Base):
    """Name and description of the hub, shown on the front page."""

    __tablename__ = "instance"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    name: Mapped[str] = mapped_column(String(200), default="Sophon Hub")
    description: Mapped[str] = mapped_column(Text, default="")

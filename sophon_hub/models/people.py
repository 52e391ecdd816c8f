"""People: everybody with an account at the Hub, as the portal knows them."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import Base
from sophon_hub.names import MAX_USERNAME


class Person(Base):
    """Somebody with a hub account.

    Rows outlive the account, so that memberships and audit events keep their meaning; the
    number ``id``, not the name, is what everything refers to, so that a new account under an
    old name inherits nothing. From ``gone_at`` on the account is gone, and ``username`` is one that
    no account can have. ``sign_on_groups`` are the research groups, by slug, with the
    member role that the sign-on system claimed for the person when it was last asked.
    """

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(MAX_USERNAME), unique=True)
    display_name: Mapped[str] = mapped_column(String(200))
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    sign_on_groups: Mapped[dict[str, Any]] = mapped_column(default=dict)

"""Local accounts: who may sign in with a password kept by this hub."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import Base
from sophon_hub.names import MAX_USERNAME


class LocalAccount(Base):
    """A user name and the hash of its password.

    Not tied to `Person`: people of other sign-on systems have no row here, and deleting an
    account leaves the person's memberships and events as they are.
    """

    __tablename__ = "local_accounts"

    username: Mapped[str] = mapped_column(String(MAX_USERNAME), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]

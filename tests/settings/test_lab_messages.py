"""The key with which the hub signs what it tells labs."""

from pathlib import Path

import pytest

from sophon_hub.lab_messages import KEY_FILE, LabMessages
from sophon_hub.settings import BadSetting, Sophon


def test_the_key_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    settings = Sophon(data_dir=str(tmp_path / "data"))

    made, again = LabMessages.of(settings), LabMessages.of(settings)

    assert made.public_key == again.public_key
    assert (settings.data_path / KEY_FILE).stat().st_mode & 0o077 == 0


def test_a_damaged_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    settings = Sophon(data_dir=str(tmp_path))
    (tmp_path / KEY_FILE).touch(mode=0o600)
    (tmp_path / KEY_FILE).write_text("not hex")

    with pytest.raises(BadSetting, match="lab-message-key is damaged"):
        LabMessages.of(settings)

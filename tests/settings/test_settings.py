"""Settings: traits and environment variables are one, and mistakes are found at start."""

import json
from pathlib import Path

import pytest
from traitlets.config import Config

from sophon_hub.amounts import parse_bytes
from sophon_hub.settings import BadSetting, Sophon


@pytest.fixture(autouse=True)
def _clean_environment(settings: Sophon) -> None:
    """No SOPHON_ variable of whoever runs the tests has a say."""


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1", 1), ("512M", 512 * 1024**2), ("2g", 2 * 1024**3), (" 1.5 KB", 1536), ("1T", 1024**4)],
)
def test_amounts_of_memory_are_read_in_powers_of_1024(text: str, amount: int) -> None:
    assert parse_bytes(text) == amount


@pytest.mark.parametrize(
    "text", ["", "G", "2X", "two", "1e999", "nan", "-1G", "0", "0.0001", "2 G G", "\x00", "inf"]
)
def test_what_is_no_amount_of_memory_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="512M or 2G"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "9000", 9000),
        ("open_signup", "true", True),
        ("cpu_limit", "1.5", 1.5),
        ("memory_limit", "512M", "512M"),
        ("spawner", "process", "process"),
        ("images", '{"lab": {"image": "x"}}', {"lab": {"image": "x"}}),
    ],
)
def test_an_environment_variable_sets_what_the_trait_sets(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"SOPHON_{name.upper()}", text)
    assert getattr(Sophon(), name) == value == getattr(Sophon(**{name: value}), name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "many"),
        ("port", ""),
        ("open_signup", "perhaps"),
        ("spawner", "magic"),
        ("images", "{"),
        ("images", "[]"),
        ("images", '{"lab": "x"}'),
        ("images", '{"lab": {}}'),
        ("memory_limit", "much"),
        ("temporary_memory_limit", "much"),
        ("temporary_capacity", "0"),
        ("temporary_pool", "-1"),
        ("campus_networks", "the campus"),
        ("trusted_proxies", "127.0.0.1, apache"),
    ],
)
def test_a_variable_that_cannot_work_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"SOPHON_{name.upper()}", text)
    with pytest.raises(BadSetting, match=rf"(?i){name}|is no amount of memory"):
        Sophon()


def test_the_default_image_is_one_of_the_images_that_are_set() -> None:
    images = {"one": {"image": "one"}}
    assert Sophon(images=images, default_image="one").default_image == "one"
    with pytest.raises(BadSetting, match="default_image is 'lab', which is not in images: one"):
        Sophon(images=images)


def test_without_images_any_default_is_taken_until_the_hub_has_asked_the_engine() -> None:
    settings = Sophon(default_image="built-later")
    settings.check_images()
    settings.images_given = True
    with pytest.raises(BadSetting, match="built-later"):
        settings.check_images()


@pytest.mark.parametrize(("hard", "most"), [("", "2G"), ("3G", "2G")])
def test_a_lab_that_was_stopped_for_its_size_could_not_be_started_again_at_once(
    hard: str, most: str
) -> None:
    with pytest.raises(BadSetting, match="home_hard_quota"):
        Sophon(home_hard_quota=hard, home_stop_quota=most)
    assert Sophon(home_hard_quota="2G", home_stop_quota="2G").home_stop_quota == "2G"


def test_the_configuration_file_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPHON_PORT", "9000")
    assert Sophon(config=Config({"Sophon": {"port": 9100}})).port == 9100
    assert Sophon(port=9200).port == 9200


def test_an_unreadable_variable_does_not_matter_when_the_file_sets_the_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOPHON_PORT", "many")
    assert Sophon(port=9200).port == 9200


def test_ports_and_database_follow_from_port_and_directory(tmp_path: Path) -> None:
    settings = Sophon(port=9000, data_dir=str(tmp_path))
    assert (settings.proxy_api_port, settings.portal_port, settings.hub_port) == (9001, 9010, 9081)
    assert settings.database_url == f"sqlite:///{tmp_path}/sophon.sqlite"
    assert settings.hub_database_url == f"sqlite:///{tmp_path}/jupyterhub.sqlite"


def test_the_data_directory_is_absolute_and_readable_by_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Sophon(data_dir="some/where")
    path = settings.prepare_data_dir()
    assert path == tmp_path / "some" / "where"
    assert path.stat().st_mode & 0o777 == 0o700
    assert settings.prepare_data_dir() == path
    assert Sophon().data_dir == str(tmp_path / "data")


def test_the_image_of_visitors_is_a_name_or_a_reference(settings: Sophon) -> None:
    assert settings.temporary_reference == settings.images["lab"]["image"]
    settings.images = settings.images | {"tmp": {"image": "ours:1"}}
    assert settings.temporary_reference == "ours:1"
    settings.images = settings.images | {"other": {"image": "somebody/else:1"}}
    settings.temporary_image = "other"
    assert settings.temporary_reference == "somebody/else:1"
    settings.temporary_image = "sophon-hub/tmp:latest"
    assert settings.temporary_reference == "sophon-hub/tmp:latest"


def test_limits_are_given_in_bytes(settings: Sophon) -> None:
    assert settings.memory_limit_bytes == 2 * 1024**3
    assert settings.max_memory_limit_bytes == 8 * 1024**3


def test_all_settings_survive_the_way_through_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = {"lab": {"image": "a", "title": 'Ä "b"'}, "r": {"image": "b"}}
    before = Sophon(
        port=9000, data_dir=str(tmp_path), images=images, open_signup=True, cpu_limit=0.5
    )
    for name, text in before.environment().items():
        monkeypatch.setenv(name, text)
    after = Sophon.load()
    assert after.environment() == before.environment()
    assert after.images == images
    assert json.loads(before.environment()["SOPHON_IMAGES"]) == images


def test_every_setting_says_what_it_is_for() -> None:
    for name, trait in Sophon.class_traits(config=True).items():
        assert len(trait.help) > 20, name

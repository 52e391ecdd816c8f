"""Migrations: from nothing to what the models say, on both databases, and never past a doubt."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from sophon_hub.clock import utcnow
from sophon_hub.models import Base, Lab, LabState, ResearchGroup, ResearchProject
from sophon_hub.models.vocabulary import AccessMode, Visibility
from sophon_hub.settings import BadSetting
from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine, reading, writing


@pytest.fixture
def engine(any_database_url: str) -> Iterator[Engine]:
    engine = make_engine(any_database_url)
    yield engine
    engine.dispose()


def stamp(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_upgrade_makes_exactly_the_tables_of_the_models(engine: Engine) -> None:
    schema.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    with engine.connect() as connection:
        command.check(schema.alembic_config(connection))  # raises when models say otherwise


def test_every_check_and_unique_constraint_of_the_models_is_in_the_database(
    engine: Engine,
) -> None:
    schema.upgrade(engine)
    inspector = inspect(engine)
    for table in Base.metadata.sorted_tables:
        wanted = {str(constraint.name) for constraint in table.constraints if constraint.columns}
        if engine.dialect.name == "sqlite" and table.dialect_options["sqlite"]["autoincrement"]:
            wanted.discard(str(table.primary_key.name))  # is written beside the column, unnamed
        found = {
            row["name"]
            for rows in (
                inspector.get_check_constraints(table.name),
                inspector.get_unique_constraints(table.name),
                inspector.get_foreign_keys(table.name),
                [inspector.get_pk_constraint(table.name)],
            )
            for row in rows
        }
        assert wanted <= found, table.name


def test_a_second_upgrade_changes_nothing_and_keeps_the_data(engine: Engine) -> None:
    schema.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO instance VALUES (1, 'Here', '')"))
    schema.upgrade(engine)
    schema.check(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT name FROM instance")) == "Here"


def test_a_downgrade_leaves_nothing_and_the_way_up_works_again(engine: Engine) -> None:
    schema.upgrade(engine)
    with engine.connect() as connection, connection.begin():
        command.downgrade(schema.alembic_config(connection), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    schema.upgrade(engine)
    schema.check(engine)


def test_there_is_one_line_of_migrations_and_one_head() -> None:
    scripts = ScriptDirectory.from_config(schema.alembic_config())
    assert scripts.get_heads() == [schema.head()]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)


def test_an_empty_database_is_refused_with_what_to_do(engine: Engine) -> None:
    with pytest.raises(BadSetting, match="empty; run: sophon-hub migrate"):
        schema.check(engine)
    schema.upgrade(engine)
    schema.check(engine)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(engine: Engine) -> None:
    schema.upgrade(engine)
    stamp(engine, "9999")
    for refuses in (schema.check, schema.upgrade):
        with pytest.raises(BadSetting, match="9999, which this version does not know"):
            refuses(engine)
    with engine.connect() as connection:
        assert schema.current(connection) == "9999"


def test_a_database_of_an_older_version_is_refused_until_it_is_migrated(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(engine)
    schema.check(engine)
    monkeypatch.setattr(schema, "head", lambda: "9999")
    with pytest.raises(BadSetting, match=r"needs 9999; make a copy .* run: sophon-hub migrate"):
        schema.check(engine)


def test_a_database_that_does_not_answer_is_a_sentence_without_the_password() -> None:
    url = "postgresql+psycopg://sophon:very-secret@127.0.0.1:1/sophon"
    with pytest.raises(BadSetting, match="Cannot open Sophon's database") as refusal:
        schema.check(make_engine(url))
    assert "very-secret" not in refusal.value.detail
    assert "\n" not in refusal.value.detail


def test_memory_limits_beyond_two_gigabytes_fit(engine: Engine) -> None:
    schema.upgrade(engine)
    now = utcnow()
    group = ResearchGroup(
        slug="g", name="G", visibility=Visibility.PUBLIC, access=AccessMode.OPEN, created_at=now
    )
    project = ResearchProject(
        slug="p",
        group=group,
        name="P",
        visibility=Visibility.PUBLIC,
        created_at=now,
        updated_at=now,
    )
    lab = Lab(
        uid="u",
        project=project,
        slug="l",
        name="L",
        image="lab",
        memory_limit=64 * 1024**3,
        state=LabState.STOPPED,
        created_at=now,
    )
    with writing(engine) as session:
        session.add(lab)
    with reading(engine) as session:
        stored = session.query(Lab).one()
        assert stored.memory_limit == 64 * 1024**3
        assert stored.created_at == now

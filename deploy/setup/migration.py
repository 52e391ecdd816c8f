"""Write the next migration from what differs between the models and the migrations so far.

    .venv/bin/python deploy/setup/migration.py "What changes"

Read the result through before committing it: renames look like a drop and a new column.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine

config = schema.alembic_config()
number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
with tempfile.TemporaryDirectory() as directory:
    engine = make_engine(f"sqlite:///{Path(directory)}/scratch.sqlite")
    if number > 1:
        schema.upgrade(engine)
    with engine.connect() as connection, connection.begin():
        command.revision(
            schema.alembic_config(connection),
            message=" ".join(sys.argv[1:]) or sys.exit(__doc__),
            autogenerate=True,
            rev_id=f"{number:04}",
        )
    engine.dispose()

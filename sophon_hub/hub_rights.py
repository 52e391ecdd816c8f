"""What portal and worker may do at the Hub: the scopes of their roles."""

from sophon_hub import names

PORTAL_SCOPES = ("list:users", "read:users:name")
WORKER_SCOPES = (
    # a filter on admin:users cannot cover an account that does not exist yet, and
    # making collaboration accounts is the worker's job
    "admin:users",
    "list:users",
    "read:users",
    "admin:groups",
    "groups",
    # other servers of people are out of its reach
    f"servers!group={names.ALL_ACCOUNTS_GROUP}",
    f"delete:servers!group={names.ALL_ACCOUNTS_GROUP}",
    f"servers!group={names.PERSONAL_GROUP}",
    f"servers!group={names.TEMPORARY_GROUP}",
    f"delete:servers!group={names.TEMPORARY_GROUP}",
    "read:servers",
)

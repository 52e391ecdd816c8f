"""Doing things on the machine as an account that has nothing to do with the hub."""

import json
import subprocess
from typing import Any

NOBODY = 65534

READ = """
import json, os, sys
def read(path):
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError:
        return False
    return True
print(json.dumps([path for path in sys.argv[1:] if read(path)]))
"""

GET = """
import json, sys, urllib.error, urllib.request

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None

request = urllib.request.Request(sys.argv[1], headers=json.loads(sys.argv[2]), method=sys.argv[3])
try:
    with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
"""


def python(script: str, *arguments: str, user: int = NOBODY) -> Any:
    """Run a script as that account; what it printed, as JSON."""
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", script, *arguments],
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def readable(*paths: object, user: int = NOBODY) -> list[str]:
    """Those of the files that the account can read."""
    found: list[str] = python(READ, *map(str, paths), user=user)
    return found


def get(address: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """What the account is answered: status and text, redirects not followed."""
    status, text = python(GET, address, json.dumps(headers), method)
    return status, text

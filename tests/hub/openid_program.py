"""An OpenID provider as a program: `oidc-provider-mock`, and what it leaves to others.

The package speaks the protocol: form for the person, refusal, codes, tokens, user info. It
takes any client, knows no PKCE, and its codes never expire. So there is added here: one client
with a secret, PKCE that is required and checked, codes that expire when a test says so, and
answers that a test has prepared, for a provider that fails.
"""

import base64
import hashlib
import os
import sys
from urllib.parse import parse_qs, urlsplit

import flask
import oidc_provider_mock
import werkzeug.serving

CLIENT_ID = "sophon"
CLIENT_SECRET = "client-secret-of-the-hub"
AUTHORIZE = "/oauth2/authorize"
TOKEN = "/oauth2/token"


def make_app() -> flask.Flask:
    app = oidc_provider_mock.app()
    add_client_and_pkce(app)
    add_prepared_answers(app)
    return app


def add_client_and_pkce(app: flask.Flask) -> None:
    challenges: dict[str, str] = {}

    @app.before_request
    def check_request() -> tuple[dict[str, str], int] | None:
        asked = flask.request
        if asked.path == AUTHORIZE:
            good = (
                asked.args.get("client_id") == CLIENT_ID
                and asked.args.get("code_challenge")
                and asked.args.get("code_challenge_method") == "S256"
            )
            return None if good else ({"error": "invalid_request"}, 400)
        if asked.path == TOKEN:
            client = asked.form.get("client_id"), asked.form.get("client_secret")
            if client != (CLIENT_ID, CLIENT_SECRET):
                return {"error": "invalid_client"}, 401
            if asked.form["grant_type"] == "authorization_code":
                digest = hashlib.sha256(asked.form.get("code_verifier", "").encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
                if challenges.pop(asked.form["code"], None) != challenge:
                    return {"error": "invalid_grant"}, 400
        return None

    @app.after_request
    def remember_challenge(answer: flask.Response) -> flask.Response:
        if flask.request.path == AUTHORIZE:
            back = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
            for code in back.get("code", []):
                challenges[code] = flask.request.args["code_challenge"]
        return answer

    @app.post("/test/expire-codes")
    def expire_codes() -> tuple[str, int]:
        challenges.clear()
        return "", 204


def add_prepared_answers(app: flask.Flask) -> None:
    prepared: dict[str, tuple[int, str]] = {}

    @app.before_request
    def answer_as_prepared() -> flask.Response | None:
        if flask.request.path not in prepared:
            return None
        status, body = prepared[flask.request.path]
        return flask.Response(body, status, content_type="application/json")

    @app.put("/test/answers")
    def prepare_answers() -> tuple[str, int]:
        prepared.clear()
        prepared.update({path: tuple(answer) for path, answer in flask.request.json.items()})
        return "", 204


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http, on loopback
    werkzeug.serving.run_simple("127.0.0.1", int(sys.argv[1]), make_app(), threaded=True)

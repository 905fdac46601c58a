#!/usr/bin/python3
"""A token service for docker-registry:  token-service.py DIRECTORY

Gives a token for what is asked for to whoever logs in as alice with the password "secret"; without a login only for
pulling from repositories below public/. DIRECTORY/token.key and token.crt sign; DIRECTORY/token-port holds the port when it is
ready; DIRECTORY/tokens gets a line "USER SCOPES" for each token that was given.
"""
import base64
import http.server
import json
import os
import subprocess
import sys
import time
import urllib.parse

DIRECTORY = sys.argv[1]


def path(name):
    return os.path.join(DIRECTORY, name)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def certificate():
    with open(path("token.crt"), encoding="ascii") as f:
        lines = f.read().strip().split("\n")
    return "".join(lines[1:-1])


def token(subject, access):
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}
    body = {"iss": "test", "sub": subject, "aud": "registry", "exp": now + 300, "nbf": now - 10, "iat": now,
            "jti": os.urandom(8).hex(), "access": access}
    text = encode(json.dumps(head).encode()) + b"." + encode(json.dumps(body).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", path("token.key")], input=text,
                               stdout=subprocess.PIPE, check=True).stdout
    return (text + b"." + encode(signature)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def user(self):
        """The name, "" without a login, None for a wrong one."""
        given = self.headers.get("Authorization")
        if not given:
            return ""
        name, _, password = base64.b64decode(given.split()[1]).decode().partition(":")
        return name if (name, password) == ("alice", "secret") else None

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        user, access = self.user(), []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if user or (a == "pull" and name.startswith("public/"))]
            access.append({"type": kind, "name": name, "actions": allowed})
        body = b"{}"
        if user is not None:
            with open(path("tokens"), "a", encoding="ascii") as f:
                f.write(f"{user or '-'} {' '.join(query.get('scope', ['-']))}\n")
            body = json.dumps({"token": token(user, access), "expires_in": 300}).encode()
        self.send_response(200 if user is not None else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(path("token-port.new"), "w", encoding="ascii") as ready:
    ready.write(f"{server.server_port}\n")
os.rename(path("token-port.new"), path("token-port"))
server.serve_forever()

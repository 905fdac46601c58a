#!/usr/bin/python3
"""A registry that misbehaves:  faulty-registry.py DIRECTORY [CERT KEY]

Serves small images whose names say what is wrong with them (see the methods of Faults), on two ports of 127.0.0.1: the
registry itself and "the other host". With CERT and KEY the registry speaks TLS; the other host never does. DIRECTORY/ports
holds the two ports when it is ready. Every request becomes a line of DIRECTORY/requests:

    PORT METHOD PATH [authorization=SCHEME] [range=RANGE]

where PORT is "main" or "other".
"""
import gzip
import hashlib
import http.server
import io
import json
import os
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time

OCI = "application/vnd.oci.image."
MANIFEST, INDEX = OCI + "manifest.v1+json", OCI + "index.v1+json"
LAYER = OCI + "layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(entries):
    """entries: (name, content) or a TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                t.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size = len(entry[1])
            info.mode = 0o644
            t.addfile(info, io.BytesIO(entry[1]))
    return out.getvalue()


class Image:
    """One layer, a configuration and a manifest, as bytes that a fault may change."""

    def __init__(self, plain=None, blob=None, layer_type=LAYER, **layer_more):
        self.plain = plain if plain is not None else tar([("hello", b"hello\n")])
        self.blob = blob if blob is not None else gzip.compress(self.plain, mtime=0)
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(self.plain)]},
        }).encode()
        self.layer = {"mediaType": layer_type, "digest": digest(self.blob), "size": len(self.blob), **layer_more}
        self.config_descriptor = {"mediaType": OCI + "config.v1+json", "digest": digest(self.config),
                                  "size": len(self.config)}
        self.manifest_type = MANIFEST
        self.seal()

    def seal(self):
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": self.config_descriptor,
                                    "layers": [self.layer]}).encode()
        return self

    def blobs(self):
        return {self.config_descriptor["digest"]: self.config, self.layer["digest"]: self.blob}


def big():
    return os.urandom(3 << 20)


def other_layer_size(delta):
    image = Image()
    image.layer["size"] += delta
    return image.seal()


def with_manifest(change):
    image = Image()
    image.manifest = change(image.manifest)
    return image


def damaged_config():
    image = Image()
    image.config = image.config.replace(b"amd64", b"arm64")
    return image


def sha512():
    image = Image()
    image.layer["digest"] = "sha512:" + "0" * 128
    return image.seal()


def link(name, target, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zstd(data):
    return subprocess.run(["zstd", "-19", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


IMAGES = {
    # what it is: well, and the same with a layer that takes a while
    "good": Image,
    "large": lambda: Image(tar([("random", big())])),
    # what comes is not what was named
    "wrong-layer": lambda: (lambda i: setattr(i, "blob", i.blob[:-1] + b"x") or i)(Image(tar([("random", big())]))),
    "wrong-config": damaged_config,
    "longer-layer": lambda: other_layer_size(-1),
    "shorter-layer": lambda: other_layer_size(1),
    "wrong-diffid": lambda: (lambda i: i.seal())(Image(plain=tar([("a", b"a")]), blob=gzip.compress(tar([("b", b"b")])))),
    # manifests
    "oversized-manifest": lambda: with_manifest(lambda m: m + b" " * (5 << 20)),
    "deep-manifest": lambda: with_manifest(lambda m: m[:-1] + b', "x": ' + b"[" * 100000 + b"]" * 100000 + b"}"),
    "duplicate-keys": lambda: with_manifest(lambda m: m[:-1] + b', "schemaVersion": 2}'),
    "not-json": lambda: with_manifest(lambda m: b"<html>no</html>"),
    "sha512": sha512,
    "foreign-layer": lambda: Image(layer_type=OCI + "layer.nondistributable.v1.tar+gzip", urls=["http://127.0.0.1/x"]),
    # layers
    "gzip-bomb": lambda: Image(plain=b"", blob=gzip.compress(b"\0" * (200 << 20), 9)),
    "zstd-bomb": lambda: Image(plain=b"", blob=zstd(b"\0" * (200 << 20)), layer_type=OCI + "layer.v1.tar+zstd"),
    "not-gzip": lambda: Image(blob=b"\x1f\x8b" + b"x" * 5000),
    "escape-up": lambda: Image(tar([("../../escaped", b"x")])),
    "escape-link": lambda: Image(tar([link("out", "/", tarfile.SYMTYPE), ("out/escaped", b"x")])),
    "hard-link-out": lambda: Image(tar([link("x", "/etc/passwd", tarfile.LNKTYPE)])),
}


class Faults:
    """By name of the repository: answers a request by itself (and returns True), or leaves it to the plain registry."""

    def __init__(self):
        self.seen = {}
        self.patches = {}

    def count(self, handler):
        key = (handler.repository, handler.path)
        self.seen[key] = self.seen.get(key, 0) + 1
        return self.seen[key]

    # --- logins
    def login_loop(self, h):
        return h.send(401, b"{}", {"WWW-Authenticate": f'Bearer realm="{h.base}/token",service="s"'})

    def basic_loop(self, h):
        return h.send(401, b"{}", {"WWW-Authenticate": 'Basic realm="r"'})

    def realm_elsewhere(self, h):
        if h.headers.get("Authorization") == "Bearer good":
            return False
        return h.send(401, b"{}", {"WWW-Authenticate": f'Bearer realm="{h.other}/token",service="s"'})

    def realm_strange(self, h):
        return h.send(401, b"{}", {"WWW-Authenticate": 'Bearer realm="ftp://127.0.0.1/token",service="s"'})

    def realm_plain(self, h):
        return h.send(401, b"{}", {"WWW-Authenticate": 'Bearer realm="http://registry.example/token",service="s"'})

    def denied(self, h):
        return h.send(403, b'{"errors": [{"code": "DENIED", "message": "not for \\u001b[31myou"}]}')

    def expires(self, h):
        """A token is good for three requests."""
        if h.headers.get("Authorization") != "Bearer good" or self.count(h) and sum(self.seen.values()) % 3 == 0:
            return h.send(401, b"{}", {"WWW-Authenticate": f'Bearer realm="{h.base}/token",service="s"'})
        return False

    # --- redirects
    def redirect_other(self, h):
        """Wants a login, and has its blobs on the other host."""
        if not h.headers.get("Authorization"):
            return h.send(401, b"{}", {"WWW-Authenticate": 'Basic realm="r"'})
        return "/blobs/" in h.path and h.send(307, b"", {"Location": h.other + h.path.replace("redirect-other", "good")})

    def redirect_loop(self, h):
        return "/blobs/" in h.path and h.send(302, b"", {"Location": h.path})

    def redirect_scheme(self, h):
        return "/blobs/" in h.path and h.send(302, b"", {"Location": "file:///etc/passwd"})

    def redirect_nowhere(self, h):
        return "/blobs/" in h.path and h.send(302, b"")

    # --- busy
    def busy(self, h):
        return self.count(h) < 3 and h.send(429, b"{}", {"Retry-After": "0"})

    def busy_long(self, h):
        return h.send(429, b"{}", {"Retry-After": "100000"})

    def broken_twice(self, h):
        return self.count(h) < 3 and h.send(503, b"oops")

    def broken(self, h):
        return h.send(500, b'{"errors": [{"code": "UNKNOWN", "message": "out of order"}]}')

    # --- connections
    def cut(self, h):
        """Every answer with a blob ends after a megabyte."""
        return h.layer() and h.send_part(1 << 20)

    def cut_no_range(self, h):
        if self.count(h) > 2:
            h.headers.replace_header("Range", "") if h.headers.get("Range") else None
            return False
        if h.headers.get("Range"):
            h.headers.replace_header("Range", "")
        return h.layer() and h.send_part(1 << 20)

    def cut_always(self, h):
        return h.layer() and h.send_part(1000)

    def cut_once(self, h):
        """A megabyte, and then nothing, until DIRECTORY/go-on is there: for somebody who comes back later."""
        if not h.layer() or go_on():
            return False
        return h.send_part(1 << 20) if not h.headers.get("Range") else h.send(404, b"{}")

    def slow(self, h):
        return h.layer() and h.send_slowly()

    def wrong_range(self, h):
        if h.layer() and h.headers.get("Range"):
            return h.send(206, b"x" * 10, {"Content-Range": "bytes 0-9/10"})
        return h.layer() and h.send_part(1 << 20)

    def endless(self, h):
        return h.layer() and h.send_endless()

    def large_head(self, h):
        return h.send(200, b"", {f"X-{i}": "y" * 1000 for i in range(90)})

    # --- uploads
    def upload_elsewhere(self, h):
        return h.command == "POST" and h.send(202, b"", {"Location": "gopher://127.0.0.1/x"})

    def upload_nowhere(self, h):
        return h.command == "POST" and h.send(202, b"")

    def upload_refused(self, h):
        return h.command in ("PUT", "PATCH") and h.drain() and h.send(
            400, b'{"errors": [{"code": "SIZE_INVALID", "message": "too much"}]}')

    def upload(self, h, cut, status):
        """Takes uploads, but cut(n) says after how many bytes the n-th PATCH breaks (None: not at all); then GET is answered with
        status."""
        if "/manifests/" in h.path and h.command == "PUT":
            return h.drain() and h.send(201, b"")
        if "/blobs/uploads/" not in h.path:
            return False
        path = h.path.partition("?")[0]
        key = (h.repository, path)
        if h.command == "POST":
            n = self.count(h)
            UPLOADS[h.repository, path + str(n)] = b""
            return h.drain() and h.send(202, b"", {"Location": path + str(n)})
        if key not in UPLOADS:
            return h.drain() and h.send(404, b'{"errors": [{"code": "BLOB_UPLOAD_UNKNOWN", "message": "unknown upload"}]}')
        where = {"Location": path, "Range": f"0-{max(len(UPLOADS[key]) - 1, 0)}"}
        if h.command == "GET":
            return h.send(status, b"", where)
        if h.command == "PATCH":
            self.patches[h.repository] = self.patches.get(h.repository, 0) + 1
            limit = cut(self.patches[h.repository])
            UPLOADS[key] += h.body(limit)
            if limit is not None:
                h.connection.shutdown(socket.SHUT_RDWR)
                h.close_connection = True
                return True
            return h.send(202, b"", where)
        if h.command == "PUT":
            UPLOADS[key] += h.body(None)
            good = h.path.endswith("digest=" + digest(UPLOADS[key]))
            return h.send(201 if good else 400, b"" if good else b'{"errors": [{"code": "DIGEST_INVALID", "message": "wrong digest"}]}')
        return h.send(204, b"")

    def upload_together(self, h):
        """Answers the first HEAD of a blob, then three only when they are there at the same time."""
        if h.command == "HEAD" and "/blobs/" in h.path:
            with LOCK:
                self.patches[h.repository] = self.patches.get(h.repository, 0) + 1
                first = self.patches[h.repository] == 1
            try:
                first or TOGETHER.wait(10)
            except threading.BrokenBarrierError:
                return h.send(500, b"")
            return h.send(404, b"")
        return self.upload(h, lambda n: None, 404)

    def upload_breaks(self, h):
        """Twice, after a part that it tells of."""
        return self.upload(h, lambda n: {1: 100000, 2: 3 << 20}.get(n), 204)

    def upload_forgets(self, h):
        """Once; then it knows nothing of what came."""
        return self.upload(h, lambda n: 100000 if n == 1 else None, 404)

    def upload_fails(self, h):
        return self.upload(h, lambda n: 1000, 404)


# Repositories whose fault is in the talk have the plain image, a few of them the large one.
LARGE = ("cut", "cut-no-range", "cut-always", "cut-once", "slow", "wrong-range", "endless", "expires")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        words = [self.server.label, self.command, self.path]
        if self.headers.get("Authorization"):
            words.append("authorization=" + self.headers["Authorization"].split()[0])
        if self.headers.get("Range"):
            words.append("range=" + self.headers["Range"])
        with LOCK, open(os.path.join(DIRECTORY, "requests"), "a", encoding="ascii") as f:
            f.write(" ".join(words) + "\n")

    def send(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def pieces(self):
        """The body, whole or in chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def body(self, limit):
        """At most limit bytes of the body; the rest is not read."""
        data = b""
        for piece in self.pieces():
            data += piece
            if limit is not None and len(data) >= limit:
                return data[:limit]
        return data

    def drain(self):
        self.body(None)
        return True

    def layer(self):
        image = self.image()
        return self.path.endswith(image.layer["digest"]) and image

    def image(self):
        name = self.repository
        with LOCK:
            if name not in CACHE:
                key = name if name in IMAGES else "large" if name in LARGE else "good"
                CACHE[name] = IMAGES[key]() if key == name else CACHE.setdefault(key, IMAGES[key]())
            return CACHE[name]

    def part(self):
        """What the answer would be, behind Range."""
        data = self.image().blobs().get(self.path.rsplit("/", 1)[1])
        wanted = self.headers.get("Range") or ""
        start = int(wanted[len("bytes="):-1]) if wanted.startswith("bytes=") else 0
        return data, start

    def head_of(self, data, start):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()

    def send_part(self, size):
        data, start = self.part()
        self.head_of(data, start)
        self.wfile.write(data[start:start + size])
        self.close_connection = True
        return True

    def send_slowly(self):
        """Half a megabyte, then a byte now and then; all of it when DIRECTORY/go-on is there."""
        data, start = self.part()
        self.head_of(data, start)
        try:
            self.wfile.write(data[start:start + (1 << 19)])
            for i in range(start + (1 << 19), len(data)):
                if go_on():
                    self.wfile.write(data[i:])
                    break
                self.wfile.write(data[i:i + 1])
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass
        return True

    def send_endless(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"10000\r\n" + b"\0" * 0x10000 + b"\r\n")
        except OSError:
            self.close_connection = True
        return True

    def serve(self):
        self.note()
        self.repository = ""
        self.base, self.other = self.server.base, self.server.other
        if self.path.startswith("/token"):
            ok = self.server.label == "main" or "Basic" in self.headers.get("Authorization", "Basic")
            self.send(200 if ok else 401, b'{"token": "good"}')
            return
        if self.path == "/v2/":
            self.send(200, b"{}")
            return
        words = self.path.split("/")
        self.repository = words[2] if len(words) > 3 else ""
        fault = getattr(FAULTS, self.repository.replace("-", "_"), None)
        if self.server.label == "main" and fault and fault(self):
            return
        image = self.image()
        if self.repository.startswith("upload-") and self.command in ("GET", "HEAD"):
            self.send(404, b"{}")
        elif "/manifests/" in self.path:
            self.send(200, image.manifest, {"Content-Type": image.manifest_type,
                                            "Docker-Content-Digest": digest(image.manifest)})
        elif words[-1] in image.blobs():
            data, start = self.part()
            self.head_of(data, start)
            if self.command != "HEAD":
                self.wfile.write(data[start:])
        elif self.command == "POST":
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send(202, b"", {"Location": self.path + "1"})
        else:
            self.send(404, b'{"errors": [{"code": "NAME_UNKNOWN", "message": "no such thing"}]}')

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve


def go_on():
    return os.path.exists(os.path.join(DIRECTORY, "go-on"))


def listen(label):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.label = label
    return server


DIRECTORY = sys.argv[1]
LOCK = threading.RLock()
CACHE = {}
UPLOADS = {}
TOGETHER = threading.Barrier(3)
FAULTS = Faults()
main, other = listen("main"), listen("other")
scheme = "http"
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    main.socket = context.wrap_socket(main.socket, server_side=True)
    scheme = "https"
for server in (main, other):
    server.base = f"{scheme}://127.0.0.1:{main.server_port}"
    server.other = f"http://127.0.0.1:{other.server_port}"
with open(os.path.join(DIRECTORY, "ports.new"), "w", encoding="ascii") as ready:
    ready.write(f"{main.server_port} {other.server_port}\n")
os.rename(os.path.join(DIRECTORY, "ports.new"), os.path.join(DIRECTORY, "ports"))
threading.Thread(target=other.serve_forever, daemon=True).start()
main.serve_forever()

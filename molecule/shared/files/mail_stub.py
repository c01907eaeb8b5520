# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand in for an SMTP server (STARTTLS and login required), for SES's API and for an instance's metadata service.

Each mail that is taken lies in the folder given as ``<number>.json`` with ``by``, ``from``, ``to`` and ``mail``. Mail to ``refused@``
is refused for good; to ``throttled@``, at its first try. A request to SES is taken only if its signature, made anew here, is right.

    mail_stub.py <folder> <certificate> <key> <user> <password>
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import itertools
import json
import socketserver
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

SMTP_PORT, SES_PORT, METADATA_PORT = 2525, 2443, 2080
KEYS = {"AccessKeyId": "ASIAMOLECULE", "SecretAccessKey": "secret/of+the/role", "Token": "session+token=="}
METADATA_TOKEN = "metadata-token"
NUMBERS = itertools.count(1)
#: Addresses that were throttled once.
THROTTLED: set[str] = set()


def keep(folder: Path, taken_by: str, sender: str, recipients: list[str], mail: bytes) -> None:
    said = {"by": taken_by, "from": sender, "to": recipients, "mail": mail.decode("utf-8", "replace")}
    path = folder / f"{next(NUMBERS):04}.json"
    path.with_suffix(".new").write_text(json.dumps(said))
    path.with_suffix(".new").rename(path)


class Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a mailer needs; nothing is taken before STARTTLS and AUTH."""

    folder: Path
    tls: ssl.SSLContext
    login: tuple[str, str]
    timeout = 30

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")
        self.wfile.flush()

    def handle(self) -> None:
        self.is_encrypted = self.is_known = False
        self.sender, self.recipients = "", []
        self.say("220 stub ESMTP")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if word == "QUIT":
                self.say("221 bye")
                return
            getattr(self, f"do_{word.lower()}", self.unknown)(line)

    def unknown(self, line: str) -> None:
        self.say(f"502 what is {line.split(' ', maxsplit=1)[0]}?")

    def do_ehlo(self, line: str) -> None:
        self.say("250-stub")
        self.say("250 AUTH PLAIN LOGIN" if self.is_encrypted else "250 STARTTLS")

    def do_starttls(self, line: str) -> None:
        self.say("220 go on")
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.is_encrypted = True

    def do_auth(self, line: str) -> None:
        if line.upper().startswith("AUTH LOGIN"):
            given = []
            for question in (b"Username:", b"Password:"):
                self.say("334 " + base64.b64encode(question).decode())
                given.append(base64.b64decode(self.rfile.readline()).decode())
        else:
            given = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:]
        self.is_known = self.is_encrypted and tuple(given) == self.login
        self.say("235 welcome" if self.is_known else "535 no")

    def do_mail(self, line: str) -> None:
        self.sender, self.recipients = line.split("<")[1].split(">", maxsplit=1)[0], []
        self.say("250 ok" if self.is_known else "530 log in first")

    def do_rcpt(self, line: str) -> None:
        address = line.split("<")[1].split(">", maxsplit=1)[0]
        if address.startswith("refused@"):
            self.say("550 no such person")
            return
        self.recipients.append(address)
        self.say("250 ok")

    def do_rset(self, line: str) -> None:
        self.say("250 ok")

    def do_data(self, line: str) -> None:
        self.say("354 the mail, please")
        lines = []
        while (part := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(part[1:] if part.startswith(b"..") else part)
        keep(self.folder, "smtp", self.sender, self.recipients, b"".join(lines))
        self.say("250 taken")


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers in JSON or text, without a log."""

    folder: Path

    def log_message(self, *arguments: Any) -> None:
        pass

    def answer(self, status: int, content: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())


class Metadata(Answers):
    """Version 2 alone: without the token of a PUT it says nothing."""

    def do_PUT(self) -> None:
        self.answer(200 if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else 400, METADATA_TOKEN)

    def do_GET(self) -> None:
        path = "/latest/meta-data/iam/security-credentials/"
        known = {path: "stack-web", f"{path}stack-web": json.dumps({"Code": "Success", **KEYS})}
        if self.headers["X-aws-ec2-metadata-token"] != METADATA_TOKEN:
            self.answer(401, "")
            return
        self.answer(200 if self.path in known else 404, known.get(self.path, ""))


class Ses(Answers):
    """POST /v2/email/outbound-emails."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if (
            self.headers["Authorization"] != self.expected(body)
            or self.headers["X-Amz-Security-Token"] != KEYS["Token"]
        ):
            self.answer(403, json.dumps({"message": "The request signature we calculated does not match"}))
            return
        asked = json.loads(body)
        recipients = asked["Destination"]["ToAddresses"]
        mail = base64.b64decode(asked["Content"]["Raw"]["Data"], validate=True)
        if any(address.startswith("refused@") for address in recipients):
            self.answer(400, json.dumps({"message": "Email address is not verified"}))
        elif any(address.startswith("throttled@") for address in recipients) and recipients[0] not in THROTTLED:
            THROTTLED.add(recipients[0])
            self.answer(429, json.dumps({"message": "Maximum sending rate exceeded."}))
        else:
            keep(self.folder, "ses", "", recipients, mail)
            self.answer(200, json.dumps({"MessageId": "1"}))

    def expected(self, body: bytes) -> str:
        """Return the header that a request with this body must have: signature version 4, after AWS's description of it."""
        now = self.headers["X-Amz-Date"]
        scope = f"{now[:8]}/eu-central-1/ses/aws4_request"
        names = ["content-type", "host", "x-amz-date", "x-amz-security-token"]
        canonical = "\n".join(
            [
                "POST", self.path, "", *(f"{name}:{self.headers[name]}" for name in names), "", ";".join(names),
                hashlib.sha256(body).hexdigest(),
            ]
        )  # fmt: skip
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = b"AWS4" + KEYS["SecretAccessKey"].encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return f"AWS4-HMAC-SHA256 Credential={KEYS['AccessKeyId']}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main(folder: str, certificate: str, key: str, user: str, password: str) -> None:
    Path(folder).mkdir(exist_ok=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    Smtp.folder = Answers.folder = Path(folder)
    Smtp.tls, Smtp.login = tls, (user, password)
    ses = Server(("", SES_PORT), Ses)
    ses.socket = tls.wrap_socket(ses.socket, server_side=True)
    servers = [Server(("", SMTP_PORT), Smtp), Server(("", METADATA_PORT), Metadata), ses]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])

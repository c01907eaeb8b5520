# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ElastiCache's configuration endpoint for Memcached, as far as a client needs it: which nodes there are (R47).

``configuration_endpoint.py <port> <certificate> <key> <file>``: the file has one ``name:port`` a line and is read at every question.
"""

from __future__ import annotations

import socketserver
import ssl
import sys
from pathlib import Path


class Answers(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            words = line.decode().split()
            if words[:1] == ["md"]:
                self.wfile.write(f"NF {words[2]}\r\n".encode())
            elif words == ["config", "get", "cluster"]:
                nodes = Path(sys.argv[4]).read_text(encoding="utf-8").split()
                listed = " ".join(f"{node.split(':')[0]}|127.0.0.1|{node.split(':')[1]}" for node in nodes)
                body = f"{len(nodes)}\n{listed}\n"
                self.wfile.write(f"CONFIG cluster 0 {len(body)}\r\n{body}\r\nEND\r\n".encode())
            else:
                self.wfile.write(b"ERROR\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def get_request(self):
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True), address

    def handle_error(self, request, client_address) -> None:
        """A client that went away, or only looked, is no error."""


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Answers) as server:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.serve_forever()

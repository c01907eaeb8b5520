# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP side: moto's applications behind our middleware, on a loopback port and a unix socket.

Requests are served by threads, but the emulated cloud is one: a lock lets one call at a time at it, because moto's
backends are plain dictionaries and a controller must never see half of a call.
"""

from __future__ import annotations

import io
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from . import errors
from .call_log import CallLog, error_code
from .faults import AFTER, Faults
from .operations import Operation, operation_of

LOG = logging.getLogger(__name__)
StartResponse = Callable[..., Any]

#: What the data plane, and tests, report or ask for.
_POSTED = ("/_data_plane/observed", "/_data_plane/clock", "/_data_plane/faults")
#: An idle connection is closed after this many seconds.
IDLE_SECONDS = 60


class Handler(MotoRequestHandler):
    """Serve several requests per connection.

    werkzeug closes each connection because it does not drain the request; here the body is read whole before the
    application runs, and the answer leaves in one write with its length.
    """

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.environ = environ = self.make_environ()
        body = _drain(environ)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        answer: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            answer.update(status=status, headers=headers)

        application: Any = self.server.app
        content = b"".join(application(environ, start_response))
        self._answer(answer["status"], answer["headers"], content)

    def _answer(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code = int(status.split(" ", 1)[0])
        bodiless = self.command == "HEAD" or code in (204, 304)
        lines = [f"HTTP/1.1 {status}"]
        names = {name.lower() for name, _unused in headers}
        lines += [f"{name}: {value}" for name, value in headers if bodiless or name.lower() != "content-length"]
        if not (bodiless and ("content-length" in names or code in (204, 304))):
            lines.append(f"Content-Length: {len(content)}")
        if "date" not in names:
            lines.append(f"Date: {self.date_time_string()}")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        self.wfile.write(head if bodiless else head + content)

    def log(self, type: str, message: str, *args: Any) -> None:  # pylint: disable=redefined-builtin
        """Requests go to the call log; only the server's own trouble is told here."""
        if type == "error":
            LOG.error(message, *args)

    def log_request(self, *_args: Any) -> None:
        return None


class LoopbackHandler(Handler):
    #: Without it every small answer on a kept connection waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True


def _drain(environ: dict[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(length)) if length else b""


class DataPlane(Protocol):
    """What the application asks of the emulated world besides moto's answers."""

    def desired(self) -> dict[str, Any]: ...

    def observed(self, report: dict[str, Any]) -> None: ...

    def advance(self, seconds: float) -> None: ...

    def after_call(self, operation: Operation) -> None: ...

    def reset(self) -> None: ...


class Application:
    """WSGI application: the data plane's addresses, moto's own, and every AWS call."""

    def __init__(self, world: DataPlane, call_log: CallLog) -> None:
        self.world = world
        self.call_log = call_log
        self.faults = Faults()
        self.lock = threading.RLock()
        self.moto = DomainDispatcherApplication(_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        path = environ.get("PATH_INFO", "/")
        with self.lock:
            if path.startswith("/_data_plane/"):
                try:
                    status, headers, body = self._data_plane(environ, path)
                except Exception as exception:  # pylint: disable=broad-except  # the reconciler must learn of it
                    LOG.exception("%s failed", path)
                    trouble = json.dumps({"error": f"{type(exception).__name__}: {exception}"})
                    status, headers, body = "500 Internal Server Error", [], trouble.encode()
            elif path.startswith(("/moto-api", "/favicon.ico")):
                status, headers, body = self._call_moto(environ)
                if path.startswith("/moto-api/reset"):
                    self.world.reset()
                    self.faults.configure({})
            else:
                status, headers, body = self._aws(environ)
        start_response(status, headers)
        return [body]

    def _aws(self, environ: dict[str, Any]) -> errors.Answer:
        started = time.monotonic()
        request_body = environ["wsgi.input"].getvalue()
        operation = operation_of(environ, request_body)
        content_type = environ.get("CONTENT_TYPE", "")
        fault = self.faults.draw(operation)
        if fault in (None, AFTER):
            answer = self._answered(environ, operation, content_type)
        if fault:
            answer = self.faults.answer(fault, operation, content_type)
        if answer[0].startswith("501"):
            LOG.warning("%s: %s", operation.name, error_code(*answer))
        agent = environ.get("HTTP_USER_AGENT", "")
        self.call_log.add(operation, answer[0], agent, time.monotonic() - started, error_code(*answer), fault=fault)
        return answer

    def _answered(self, environ: dict[str, Any], operation: Operation, content_type: str) -> errors.Answer:
        """Carry out a call, and let the controllers see what it changed."""
        try:
            answer = self._call_moto(environ)
            if _is_unknown(operation, answer):
                return errors.not_implemented(operation, content_type)
            if operation.write and answer[0] < "400":
                self.world.after_call(operation)
        except NotImplementedError:
            return errors.not_implemented(operation, content_type)
        except Exception as exception:  # pylint: disable=broad-except  # it must reach the client
            LOG.exception("%s failed", operation.name)
            return errors.crashed(operation, exception, content_type)
        return answer

    def _call_moto(self, environ: dict[str, Any]) -> errors.Answer:
        answer: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            answer.update(status=status, headers=headers)

        content = b"".join(self.moto(environ, start_response))
        return answer["status"], answer["headers"], content

    def _data_plane(self, environ: dict[str, Any], path: str) -> errors.Answer:
        headers = [("Content-Type", "application/json")]
        request = (environ["REQUEST_METHOD"], path.rstrip("/"))
        if request == ("GET", "/_data_plane/desired"):
            return "200 OK", headers, json.dumps(self.world.desired()).encode()
        if request == ("GET", "/_data_plane/faults"):
            return "200 OK", headers, json.dumps(self.faults.state()).encode()
        if request[0] == "POST" and request[1] in _POSTED:
            try:
                posted = json.loads(environ["wsgi.input"].getvalue() or b"{}")
                if request[1] == "/_data_plane/faults":
                    self.faults.configure(posted)
                elif request[1] == "/_data_plane/clock":
                    self.world.advance(float(posted["advance"]))
                else:
                    self.world.observed(posted)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                trouble = f"not a report of the expected shape: {type(error).__name__}: {error}"
                return "400 Bad Request", headers, json.dumps({"error": trouble}).encode()
            return "200 OK", headers, b"{}"
        return "404 Not Found", headers, json.dumps({"error": f"no {request[0]} {request[1]}"}).encode()


def _backend_app(service: Any) -> Any:
    """Build moto's application of a service; NotImplementedError for a service that moto does not know."""
    if service is None:
        raise NotImplementedError("no such service")
    return create_backend_app(service)


def _is_unknown(operation: Operation, answer: errors.Answer) -> bool:
    """Tell whether moto's web framework answered instead of a service: HTML, or nothing at all."""
    status, _unused, body = answer
    if status[:3] not in ("404", "405", "500", "501"):
        return False
    return body[:15].lower().startswith(b"<!doctype html") or (not operation.known and not body)


class Server:
    """The listeners of one application; ``close`` stops them and removes the socket."""

    def __init__(self, application: Application, port: int, socket_path: str = "") -> None:
        self._servers: list[BaseWSGIServer] = [
            make_server("127.0.0.1", port, application, threaded=True, request_handler=LoopbackHandler)
        ]
        self.port = self._servers[0].port
        self._socket = Path(socket_path) if socket_path else None
        if self._socket:
            self._socket.unlink(missing_ok=True)
            self._servers.append(
                make_server(f"unix://{self._socket}", 0, application, threaded=True, request_handler=Handler)
            )
            os.chmod(self._socket, 0o666)  # the proxy that carries the genuine host names runs as another user
        for server in self._servers:
            server.daemon_threads = True  # type: ignore[attr-defined]
        self._threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in self._servers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        if self._socket:
            self._socket.unlink(missing_ok=True)

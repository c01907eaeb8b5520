# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TCP proxy of known latency that counts round trips, and can hang, refuse and reset: a network between two processes.

    slow_tcp.py run --listen 127.0.0.1:6380 --to 127.0.0.1:6379 --delay-us 500 --control /run/slow_tcp.sock
    slow_tcp.py ctl /run/slow_tcp.sock counters | reset | delay 1000 | hang | resume | refuse | accept | reset-connections

Bytes pass untouched (TLS too). Of the round-trip time, half is added to each direction, from the moment a chunk arrives, so
what is pipelined stays pipelined; a new connection's first bytes wait for one round trip more, that of TCP's handshake.
A round trip is counted when the client speaks after the server did, or first: a pipeline of fifty commands is one.
Standard library only, so that it runs in any node.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import heapq
import itertools
import json
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

CHUNK_BYTES = 1 << 20
MOST_SOCKETS = 1000  # what select() can watch
PR_SET_TIMERSLACK = 29
LONGEST_WAIT_SECONDS = 1.0

Address = tuple[str, int]


class Pair:
    """A client, the server it speaks to, and what is on its way between them."""

    def __init__(self, client: socket.socket, server: socket.socket, now: float) -> None:
        self.client, self.server = client, server
        self.opened = now
        self.client_spoke_last = False
        self.ended: set[socket.socket] = set()  # who will send nothing more
        self.on_the_way = {client: bytearray(), server: bytearray()}  # due, and not yet taken by the receiver
        self.closing: set[socket.socket] = set()  # to be told that the other one ended, when all was delivered

    def other(self, side: socket.socket) -> socket.socket:
        """The one at the other end."""
        return self.server if side is self.client else self.client


class SlowTcp:
    """The proxy; a context manager that runs it in a thread, and the commands that change and read it.

    Raises OSError from the constructor when the address cannot be listened on.
    """

    def __init__(self, target: Address, listen: Address = ("127.0.0.1", 0), delay_us: int = 0) -> None:
        self.target = target
        self.delay_us = delay_us
        self._listen = listen
        self._hanging = False
        self._refusing = False
        self._stopping = False
        self._actions: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._pairs: dict[socket.socket, Pair] = {}
        self._due: list[tuple[float, int, Pair, socket.socket, bytes | None]] = []
        self._order = itertools.count()
        self._waker, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._thread: threading.Thread | None = None
        self._counters: dict[str, int] = {}
        self._forget_counters()
        self._listener: socket.socket | None = self._open_listener()
        self.address: Address = self._listener.getsockname()[:2]
        self._listen = self.address

    def __enter__(self) -> SlowTcp:
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._thread:
            self._thread.join(timeout=5)

    # The commands; callable from any thread.

    def counters(self) -> dict[str, int]:
        """Connections, round trips, bytes each way and the present delay, since the last reset."""
        with self._lock:
            return {**self._counters, "open": len(self._pairs) // 2, "delay_us": self.delay_us}

    def reset(self) -> None:
        """Set the counters to nought."""
        with self._lock:
            self._forget_counters()

    def delay(self, microseconds: int) -> None:
        """Add this round-trip time to what arrives from now on."""
        self.delay_us = microseconds

    def hang(self) -> None:
        """Take connections and bytes, and deliver nothing until `resume`: a server that is stopped, not dead."""
        self._act(lambda: setattr(self, "_hanging", True))

    def resume(self) -> None:
        """Deliver again, first what waited."""
        self._act(lambda: setattr(self, "_hanging", False))

    def refuse(self) -> None:
        """Refuse new connections and reset those that are open: a server whose process is gone."""
        self._act(self._shut_listener)

    def accept(self) -> None:
        """Take connections again after `refuse`."""
        self._act(self._reopen_listener)

    def reset_connections(self) -> None:
        """Reset what is open (RST); new connections are welcome: a failover."""
        self._act(self._reset_all)

    def stop(self) -> None:
        """Close everything and let `serve` return."""
        self._act(lambda: setattr(self, "_stopping", True), wait=False)

    def _act(self, action: Callable[[], None], wait: bool = True) -> None:
        """Have the serving thread do something, and wait until it did (not when there is no such thread)."""
        done = threading.Event()

        def run() -> None:
            action()
            done.set()

        with self._lock:
            self._actions.append(run)
        self._waker.send(b"!")
        if wait and threading.current_thread() is not self._thread:
            done.wait(timeout=5)

    # The serving thread.

    def serve(self) -> None:
        """Pass bytes until `stop`."""
        # A sleep of 500 microseconds shall not become one of 550.
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
        while not self._stopping:
            readable, writable = self._wait()
            for side in readable:
                if side is self._woken:
                    self._run_actions()
                elif side is self._listener:
                    self._take_client()
                elif side in self._pairs:
                    self._read(side)
            self._deliver_due()
            for side in writable:
                if side in self._pairs:
                    self._flush(side)
        self._reset_all()
        for held in (self._listener, self._waker, self._woken):
            if held:
                held.close()

    def _wait(self) -> tuple[list[socket.socket], list[socket.socket]]:
        reading: list[socket.socket] = [self._woken]
        if self._listener and len(self._pairs) < MOST_SOCKETS - 10:
            reading.append(self._listener)
        reading += [side for side, pair in self._pairs.items() if side not in pair.ended]
        writing = [] if self._hanging else [side for side, pair in self._pairs.items() if pair.on_the_way[side]]
        wait = LONGEST_WAIT_SECONDS
        if self._due and not self._hanging:
            wait = max(0.0, min(wait, self._due[0][0] - time.monotonic()))
        readable, writable, _failed = select.select(reading, writing, [], wait)
        return readable, writable

    def _run_actions(self) -> None:
        self._woken.recv(4096)
        with self._lock:
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    def _take_client(self) -> None:
        if not self._listener:
            return
        client, _peer = self._listener.accept()
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            server.settimeout(5)
            server.connect(self.target)
        except OSError:
            server.close()
            _reset(client)
            return
        pair = Pair(client, server, time.monotonic())
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.setblocking(False)
        with self._lock:
            self._pairs[client] = self._pairs[server] = pair
            self._counters["connections"] += 1

    def _read(self, side: socket.socket) -> None:
        pair = self._pairs[side]
        try:
            data = side.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._drop(pair)
            return
        now = time.monotonic()
        if not data:
            pair.ended.add(side)
        elif side is pair.client:
            self._count("bytes_up", len(data))
            if not pair.client_spoke_last:
                self._count("round_trips", 1)
            pair.client_spoke_last = True
        else:
            self._count("bytes_down", len(data))
            pair.client_spoke_last = False
        # TCP's own handshake: nothing of the client arrives before one round trip after it called.
        sent = max(now, pair.opened + self.delay_us / 1e6) if side is pair.client else now
        due = sent + self.delay_us / 2e6
        heapq.heappush(self._due, (due, next(self._order), pair, pair.other(side), data or None))

    def _deliver_due(self) -> None:
        while self._due and not self._hanging and self._due[0][0] <= time.monotonic():
            _due, _order, pair, receiver, data = heapq.heappop(self._due)
            if receiver not in self._pairs:
                continue
            if data is None:
                pair.closing.add(receiver)
            else:
                pair.on_the_way[receiver] += data
            self._flush(receiver)

    def _flush(self, receiver: socket.socket) -> None:
        pair = self._pairs[receiver]
        waiting = pair.on_the_way[receiver]
        try:
            while waiting:
                del waiting[: receiver.send(waiting)]
            if receiver in pair.closing:
                pair.closing.discard(receiver)
                receiver.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self._drop(pair)
            return
        if len(pair.ended) == 2 and not pair.closing and not any(pair.on_the_way.values()) and not self._has_due(pair):
            self._forget(pair)
            pair.client.close()
            pair.server.close()

    def _has_due(self, pair: Pair) -> bool:
        return any(entry[2] is pair for entry in self._due)

    def _forget(self, pair: Pair) -> None:
        with self._lock:
            self._pairs.pop(pair.client, None)
            self._pairs.pop(pair.server, None)

    def _drop(self, pair: Pair) -> None:
        """One end broke: the other learns it by a reset, as through a router."""
        self._forget(pair)
        _reset(pair.client)
        _reset(pair.server)

    def _reset_all(self) -> None:
        for pair in {id(pair): pair for pair in self._pairs.values()}.values():
            self._drop(pair)
        self._due.clear()

    def _open_listener(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(self._listen)
        except OSError:
            listener.close()
            raise
        listener.listen(512)
        return listener

    def _shut_listener(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        self._reset_all()

    def _reopen_listener(self) -> None:
        if not self._listener:
            self._listener = self._open_listener()

    def _count(self, name: str, amount: int) -> None:
        with self._lock:
            self._counters[name] += amount

    def _forget_counters(self) -> None:
        self._counters = dict.fromkeys(("connections", "round_trips", "bytes_up", "bytes_down"), 0)


def _reset(side: socket.socket) -> None:
    """Close with RST instead of FIN."""
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    side.close()


def ask(control: str | Path, command: str) -> dict[str, object]:
    """Send one command to a control socket (of this proxy or of slow_files) and return its JSON answer.

    Raises OSError when nothing listens there, ValueError when the command is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
        talk.connect(str(control))
        talk.sendall(command.encode() + b"\n")
        with talk.makefile("r") as answer:
            said = json.load(answer)
    if isinstance(said, dict) and "error" in said:
        raise ValueError(said["error"])
    return said


def obey(proxy: SlowTcp, command: str) -> dict[str, object]:
    """Do what a line of the control socket says and answer with the counters; raises ValueError for an unknown one."""
    word, *rest = command.split() or [""]
    if word == "delay" and len(rest) == 1 and rest[0].isdigit():
        proxy.delay(int(rest[0]))
    elif word in {"reset", "hang", "resume", "refuse", "accept", "reset-connections"}:
        getattr(proxy, word.replace("-", "_"))()
    elif word != "counters":
        raise ValueError("one of: counters, reset, delay MICROSECONDS, hang, resume, refuse, accept, reset-connections")
    return dict(proxy.counters())


def serve_control(proxy: SlowTcp, path: str) -> None:
    """Answer one command per connection, for ever."""
    Path(path).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(16)
        while True:
            client, _peer = listener.accept()
            with client, client.makefile("rw") as talk:
                try:
                    answer = obey(proxy, talk.readline().strip())
                except ValueError as error:
                    answer = {"error": str(error)}
                talk.write(json.dumps(answer) + "\n")


def _address(text: str) -> Address:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: not HOST:PORT")
    return host or "0.0.0.0", int(port)


def main(words: list[str]) -> int:
    """Run a proxy, or ask a running one."""
    parser = argparse.ArgumentParser(description="A TCP proxy of known latency.")
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run")
    run.add_argument("--listen", type=_address, required=True)
    run.add_argument("--to", type=_address, required=True)
    run.add_argument("--delay-us", type=int, default=0, help="round-trip time to add")
    run.add_argument("--control", help="path of the control socket")
    control = actions.add_parser("ctl")
    control.add_argument("socket")
    control.add_argument("command", nargs="+")
    chosen = parser.parse_args(words)
    try:
        if chosen.action == "ctl":
            print(json.dumps(ask(chosen.socket, " ".join(chosen.command))))
            return 0
        with SlowTcp(chosen.to, chosen.listen, chosen.delay_us) as proxy:
            if chosen.control:
                serve_control(proxy, chosen.control)
            threading.Event().wait()
    except (OSError, ValueError) as error:
        print(f"slow_tcp: {error}", file=sys.stderr)
        # A port that is taken is the caller's to change; the rest may be worth another try.
        return 2 if isinstance(error, OSError) and error.errno == errno.EADDRINUSE else 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

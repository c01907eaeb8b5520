# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The delaying TCP proxy: bytes arrive unchanged and late, round trips are counted, and it fails as networks do."""

from __future__ import annotations

import datetime
import hashlib
import os
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import slow_tcp
from .slow_tcp import SlowTcp, ask

DELAY_US = 30_000
DELAY = DELAY_US / 1e6


class Echo:
    """A server that sends each line back, with as many copies as its first figure says; with TLS when given a context."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.context = context
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client: socket.socket) -> None:
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, client.makefile("rb") as lines:
                for line in lines:
                    client.sendall(line)
        except OSError:
            pass


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server that answers at once."""
    server = Echo()
    yield server
    server.listener.close()


def connect(proxy: SlowTcp) -> socket.socket:
    """A client of the proxy."""
    client = socket.create_connection(proxy.address, timeout=5)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def say(client: socket.socket, line: bytes = b"hello\n") -> bytes:
    """Send and read as much again."""
    client.sendall(line)
    got = b""
    while len(got) < len(line):
        more = client.recv(65536)
        if not more:
            raise ConnectionError("closed")
        got += more
    return got


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_a_round_trip_takes_the_delay_and_counts_one(echo: Echo) -> None:
    with SlowTcp(echo.address, delay_us=DELAY_US) as proxy, connect(proxy) as client:
        say(client)
        proxy.reset()
        for _turn in range(5):
            assert DELAY <= seconds(lambda: say(client)) < 2 * DELAY + 0.05
        counted = proxy.counters()
        assert (counted["round_trips"], counted["bytes_up"], counted["bytes_down"]) == (5, 30, 30)
        proxy.delay(0)
        assert seconds(lambda: say(client)) < DELAY


def test_a_connection_costs_a_round_trip_more(echo: Echo) -> None:
    with SlowTcp(echo.address, delay_us=DELAY_US) as proxy:
        client: list[socket.socket] = []
        took = seconds(lambda: (client.append(connect(proxy)), say(client[0])))
        client[0].close()
        assert 2 * DELAY <= took < 3 * DELAY + 0.05
        assert proxy.counters()["connections"] == 1


def test_a_pipeline_is_one_round_trip(echo: Echo) -> None:
    with SlowTcp(echo.address, delay_us=DELAY_US) as proxy, connect(proxy) as client:
        say(client)
        proxy.reset()
        pieces = [f"{number}\n".encode() for number in range(50)]

        def pipeline() -> None:
            for piece in pieces:
                client.sendall(piece)
            expected = b"".join(pieces)
            got = b""
            while len(got) < len(expected):
                got += client.recv(65536)
            assert got == expected

        assert seconds(pipeline) < 2 * DELAY + 0.05
        assert proxy.counters()["round_trips"] == 1


def test_half_a_millisecond_is_half_a_millisecond(echo: Echo, prove: Callable[[str], None]) -> None:
    with SlowTcp(echo.address) as proxy, connect(proxy) as client:
        plain = statistics.median(seconds(lambda: say(client)) for _turn in range(200))
        proxy.delay(500)
        slow = statistics.median(seconds(lambda: say(client)) for _turn in range(200))
    prove(
        f"slow_tcp: a round trip takes {plain * 1e6:.0f} microseconds without delay, {slow * 1e6:.0f} with a delay of 500"
    )
    assert slow >= 0.0005
    assert slow - plain < 0.0009, "a timer of whole milliseconds would say 0.001"


def test_much_data_arrives_unchanged(echo: Echo) -> None:
    data = os.urandom(8 << 20).replace(b"\n", b"-") + b"\n"
    with SlowTcp(echo.address, delay_us=2000) as proxy, connect(proxy) as client:
        got = hashlib.sha256()
        thread = threading.Thread(target=client.sendall, args=(data,))
        thread.start()
        length = 0
        while length < len(data):
            piece = client.recv(1 << 20)
            length += len(piece)
            got.update(piece)
        thread.join()
    assert got.digest() == hashlib.sha256(data).digest()


def test_the_end_of_a_conversation_arrives_after_its_bytes(echo: Echo) -> None:
    with SlowTcp(echo.address, delay_us=DELAY_US) as proxy, connect(proxy) as client:
        client.sendall(b"last words\n")
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read() == b"last words\n"
        end = time.monotonic() + 5
        while proxy.counters()["open"] and time.monotonic() < end:
            time.sleep(0.01)
        assert proxy.counters()["open"] == 0


def test_it_hangs_and_resumes(echo: Echo) -> None:
    with SlowTcp(echo.address) as proxy, connect(proxy) as client:
        say(client)
        proxy.hang()
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            say(client, b"waits\n")
        with connect(proxy) as other:
            other.settimeout(0.3)
            with pytest.raises(TimeoutError):
                say(other)
        client.settimeout(5)
        proxy.resume()
        assert client.recv(100) == b"waits\n"


def test_it_refuses_and_accepts_again(echo: Echo) -> None:
    with SlowTcp(echo.address) as proxy, connect(proxy) as client:
        say(client)
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            say(client)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        proxy.accept()
        with connect(proxy) as other:
            assert say(other) == b"hello\n"


def test_it_resets_what_is_open(echo: Echo) -> None:
    with SlowTcp(echo.address) as proxy, connect(proxy) as client:
        say(client)
        proxy.reset_connections()
        with pytest.raises(ConnectionResetError):
            say(client)
        with connect(proxy) as other:
            assert say(other) == b"hello\n"


def test_a_server_that_is_gone_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = nobody.getsockname()
    with SlowTcp(address) as proxy, connect(proxy) as client, pytest.raises((ConnectionError, TimeoutError)):
        say(client)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key").write_bytes(private)
    return folder / "crt", folder / "key"


def test_tls_passes_untouched_and_its_handshake_is_seen(tmp_path: Path) -> None:
    public, private = certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(public, private)
    asking = ssl.create_default_context(cafile=str(public))
    server = Echo(serving)
    with SlowTcp(server.address) as proxy:
        with asking.wrap_socket(connect(proxy), server_hostname="localhost") as client:
            assert say(client, b"secret word\n") == b"secret word\n"
            handshake = proxy.counters()["round_trips"] - 1
            for _turn in range(3):
                say(client)
            assert proxy.counters()["round_trips"] == handshake + 4
        assert 1 <= handshake <= 2
    server.listener.close()


def test_a_running_one_is_told_by_its_control_socket(echo: Echo, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    control = tmp_path / "control"
    words = ["--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{echo.address[1]}", "--control", str(control)]
    program = [sys.executable, slow_tcp.__file__]
    running = subprocess.Popen([*program, "run", *words])
    try:
        end = time.monotonic() + 10
        while not control.exists() and time.monotonic() < end:
            time.sleep(0.02)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            say(client)
            said = subprocess.run(
                [*program, "ctl", str(control), "counters"], capture_output=True, text=True, check=True
            )
            assert '"round_trips": 1' in said.stdout
            assert ask(control, f"delay {DELAY_US}")["delay_us"] == DELAY_US
            assert seconds(lambda: say(client)) >= DELAY
            with pytest.raises(ValueError, match="one of: counters"):
                ask(control, "dance")
    finally:
        running.terminate()
        running.wait(timeout=5)

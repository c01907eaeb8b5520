# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of the rehearsal, through the ``openssl`` command: the authority (once) and the servers it vouches for.

Run as a program by the role, so that every certificate of the rehearsal is made by the same code::

    python -m wordpress_ha_rehearsal.reconciler.pki authority DIRECTORY
    python -m wordpress_ha_rehearsal.reconciler.pki server DIRECTORY OUTPUT_PREFIX HOSTNAME_OR_ADDRESS...
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

AUTHORITY_DAYS = 3650
#: Server certificates are renewed when fewer than RENEW_DAYS are left.
SERVER_DAYS = 397
RENEW_DAYS = 30


def subject_alternative_names(names: Sequence[str]) -> str:
    """Return the openssl notation of host names (wildcards allowed) and addresses."""
    entries = []
    for name in names:
        try:
            entries.append(f"IP:{ipaddress.ip_address(name)}")
        except ValueError:
            entries.append(f"DNS:{name}")
    return ",".join(entries)


def request_config(extensions: Sequence[str]) -> str:
    """Return an openssl request configuration with exactly these extensions (the distribution's own adds CA:TRUE)."""
    return (
        "\n".join(
            ["[req]", "distinguished_name=name", "prompt=no", "x509_extensions=v3", "[name]", "[v3]", *extensions]
        )
        + "\n"
    )


def _openssl(arguments: Sequence[str]) -> None:
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@dataclass(frozen=True)
class Request:
    """A certificate to make: its subject, life in days, extensions, and the authority's directory (None: it signs itself)."""

    subject: str
    days: int
    extensions: Sequence[str]
    signer: Path | None = None


def _make(key_file: Path, certificate_file: Path, request: Request) -> None:
    """Write a fresh P-256 key (0600) and its certificate; complete files appear by rename, never half-written ones."""
    key_file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=key_file.parent) as scratch:
        key, certificate, config = Path(scratch, "key"), Path(scratch, "certificate"), Path(scratch, "config")
        config.write_text(request_config(request.extensions))
        signing = (
            ["-CA", str(request.signer / "ca.pem"), "-CAkey", str(request.signer / "ca.key")] if request.signer else []
        )
        # fmt: off
        _openssl(["req", "-x509", "-config", str(config), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-sha256", "-days", str(request.days), "-subj", request.subject, *signing, "-keyout", str(key), "-out", str(certificate)])
        # fmt: on
        key.chmod(0o600)
        certificate.chmod(0o644)
        os.replace(key, key_file)
        os.replace(certificate, certificate_file)


def authority(directory: Path) -> bool:
    """Make the authority ``ca.pem``/``ca.key`` unless it is there; return whether it was made."""
    if (directory / "ca.pem").exists() and (directory / "ca.key").exists():
        return False
    extensions = [
        "basicConstraints=critical,CA:TRUE,pathlen:0",
        "keyUsage=critical,keyCertSign,cRLSign",
        "subjectKeyIdentifier=hash",
    ]
    request = Request("/O=wordpress_ha/CN=wordpress_ha rehearsal CA", AUTHORITY_DAYS, extensions)
    _make(directory / "ca.key", directory / "ca.pem", request)
    return True


def serves(certificate: Path, names: Sequence[str], authority_directory: Path) -> bool:
    """Return whether a certificate exists, is signed by this authority, lists exactly these names and does not expire soon."""
    if not certificate.exists():
        return False
    wanted = certificate.with_suffix(".names")
    if not wanted.exists() or wanted.read_text() != subject_alternative_names(names):
        return False
    fresh = ["openssl", "x509", "-noout", "-checkend", str(RENEW_DAYS * 86400), "-in", str(certificate)]
    signed = ["openssl", "verify", "-CAfile", str(authority_directory / "ca.pem"), str(certificate)]
    return all(subprocess.run(command, check=False, capture_output=True).returncode == 0 for command in (fresh, signed))


def server(authority_directory: Path, prefix: Path, names: Sequence[str]) -> bool:
    """Make ``<prefix>.crt`` and ``<prefix>.key`` for these names unless they serve already; return whether they were made."""
    certificate = prefix.with_suffix(".crt")
    if serves(certificate, names, authority_directory):
        return False
    alternative = subject_alternative_names(names)
    extensions = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=serverAuth",
        "subjectKeyIdentifier=hash",
        "authorityKeyIdentifier=keyid",
        f"subjectAltName={alternative}",
    ]
    # A common name holds 64 characters at most; clients look at the alternative names anyway.
    request = Request(f"/CN={names[0][:64]}", SERVER_DAYS, extensions, authority_directory)
    _make(prefix.with_suffix(".key"), certificate, request)
    certificate.with_suffix(".names").write_text(alternative)
    return True


def main(arguments: Sequence[str]) -> int:
    """Run a command line (see the module's text); prints ``changed`` or ``unchanged``."""
    if len(arguments) == 2 and arguments[0] == "authority":
        changed = authority(Path(arguments[1]))
    elif len(arguments) > 3 and arguments[0] == "server":
        changed = server(Path(arguments[1]), Path(arguments[2]), arguments[3:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    print("changed" if changed else "unchanged")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The VPC's own services at its second address: resolver, AWS endpoints behind their genuine names, instance metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..config import Config
from ..planner import Container
from . import cloudfront, ec2, efs, elasticache, rds

KIND = "cloud"


def endpoint_names(region: str) -> list[str]:
    """Return the names of the certificate that AWS's endpoints show inside the rehearsal."""
    return [
        "*.amazonaws.com",
        f"*.{region}.amazonaws.com",
        f"*.s3.{region}.amazonaws.com",
        "*.s3.amazonaws.com",
        f"*.dkr.ecr.{region}.amazonaws.com",
    ]


def containers(config: Config, vpcs: Mapping[str, str]) -> list[Container]:
    """Return one container for each VPC (id -> CIDR) that something lives in."""
    return [
        Container(
            name=f"{config.prefix}-cloud-{vpc}",
            kind=KIND,
            key=vpc,
            image=config.services_image,
            network=f"{config.prefix}-{vpc}",
            address=ec2.resolver(cidr),
            command=("rehearsal-cloud",),
            flags=(
                *("--volume", f"{config.directory(KIND, vpc)}:/etc/rehearsal"),
                # The directory, not the socket: a restarted emulator makes a new one.
                *("--volume", f"{config.state_dir / 'run'}:/run/rehearsal:ro"),
            ),
        )
        for vpc, cidr in sorted(vpcs.items())
    ]


def dnsmasq_configuration(address: str, region: str, resolvers: Sequence[str]) -> str:
    """Return dnsmasq.conf: AWS's API names are this container, unknown resources do not exist, the rest is the world's."""
    lines = [
        "no-resolv",
        "no-hosts",
        "user=root",
        "bind-interfaces",
        "local-ttl=5",
        "cache-size=1000",
        "addn-hosts=/etc/rehearsal/hosts",
        f"address=/amazonaws.com/{address}",
    ]
    for domain in (f"efs.{region}", f"{region}.rds", f"{region}.elb", "cache"):
        lines.append(f"address=/{domain}.amazonaws.com/")
    lines.append("local=/ec2.internal/")
    lines += [f"server={resolver}" for resolver in resolvers]
    return "\n".join(lines) + "\n"


def haproxy_configuration(address: str) -> str:
    """Return the configuration that ends TLS and hands every request to the emulator's socket."""
    return f"""global
    maxconn 1000
    log stdout format raw local0 warning
defaults
    mode http
    log global
    timeout connect 2s
    timeout client 300s
    timeout server 300s
frontend endpoints
    bind {address}:80
    bind {address}:443 ssl crt /etc/rehearsal/tls.pem alpn h2,http/1.1
    default_backend emulator
backend emulator
    retries 3
    server emulator unix@/run/rehearsal/aws.sock
"""


def zone(desired: Mapping[str, Any], addresses: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """Return addresses by name for everything the API has named; ``addresses`` by (kind, key)."""
    found: dict[str, list[str]] = dict(efs.names(desired))
    for instance in desired.get("instances", []):
        found[f"{instance['hostname'].split('.')[0]}.ec2.internal"] = [instance["private_ip"]]
    for balancer in desired.get("load_balancers", []):
        _add(found, [balancer["dns_name"]], addresses.get(("elbv2", balancer["name"])))
    for cluster in desired.get("db_clusters", []):
        _add(found, rds.names(cluster), addresses.get((rds.KIND, cluster["id"])))
    for group in desired.get("replication_groups", []):
        _add(found, elasticache.names(group), addresses.get((elasticache.KIND, group["id"])))
    found.update(cloudfront.names(desired, addresses))
    _add_records(found, desired.get("records", []))
    return found


def _add_records(found: dict[str, list[str]], records: Iterable[Mapping[str, Any]]) -> None:
    """Add what Route 53 holds: addresses as they are, aliases and CNAMEs as the addresses of what they point to."""
    listed = [record for record in records if record["type"] in ("A", "CNAME") and "*" not in record["name"]]
    for record in listed:
        if record["type"] == "A" and record.get("values"):
            found[record["name"]] = list(record["values"])
    for _turn in listed:
        # A name may point to a name that points on; as many turns as there are records reach every end.
        known = {name.lower().rstrip("."): addresses for name, addresses in found.items()}
        for record in listed:
            target = record.get("alias") or (record["values"][0] if record["type"] == "CNAME" else "")
            end = known.get(str(target).lower().rstrip(".").removeprefix("dualstack."))
            if end and record["name"] not in found:
                found[record["name"]] = end


def _add(found: dict[str, list[str]], names: Iterable[str], address: str | None) -> None:
    if address:
        found.update({name: [address] for name in names})


def hosts(names: Mapping[str, Sequence[str]]) -> str:
    """Return a hosts file; the names are lower case, as DNS compares them."""
    return "".join(f"{address} {name.lower()}\n" for name in sorted(names) for address in names[name])

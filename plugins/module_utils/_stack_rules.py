# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only several settings of a stack file show together. Pure: a well-typed stack in, problems in the user's words out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ._stack_schema import UNSET, Problem

#: Each tier may hold this many zones, so that adding a zone never renumbers a subnet.
ZONE_SLOTS = 4
TIERS = ("public", "app", "data")
#: A load balancer wants a /27 at least; 16 subnet slots are four bits, so a VPC of /23 is the smallest.
SUBNET_BITS = 4
SMALLEST_SUBNET = 27
LARGEST_VPC = 16

EVERYWHERE = "0.0.0.0/0"
PRESETS = ("woocommerce", "multisite", "campaigns")
#: Seconds by which the load balancer's time-out, and the edge's, are above that of a request; the edge's has a quota (P8).
BALANCER_MARGIN, EDGE_MARGIN, LONGEST_READ = 15, 20, 120
#: Without a way out a node needs these: its contract and its secrets.
NODE_SERVICES = ("ssm", "secretsmanager")
#: AWS Backup keeps what is in cold storage for this many days at least.
COLD_DAYS = 90
#: A bastion open to more addresses than a /8 holds is open to the world, in however many pieces.
WIDEST_INGRESS = 8
DAY = 24 * 60
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def check_together(stack: Mapping[str, Any]) -> list[Problem]:
    """Return the problems that only several settings of a well-typed stack show together."""
    parts = (
        _site,
        _mail,
        _sessions,
        _guard,
        _network,
        _database,
        _cache,
        _files,
        _media,
        _balancer,
        _web,
        _edge,
        _dns,
        _bastion,
        _backups,
        _monitoring,
    )
    return [problem for part in parts for problem in part(stack)]


def _site(stack: Mapping[str, Any]) -> Iterator[Problem]:
    url = urlsplit(stack["site"]["url"] or f"https://{stack['site']['domain']}")
    if url.hostname != stack["site"]["domain"]:
        wrong = f"its host is not wordpress_ha_site.domain, {stack['site']['domain']}"
        yield Problem("wordpress_ha_site.url", stack["site"]["url"], wrong, "Make the two agree.")


def _mail(stack: Mapping[str, Any]) -> Iterator[Problem]:
    mail, path = stack["mail"], "wordpress_ha_mail"
    if mail["transport"] == "none":
        given = next((key for key in ("host", "secret_arn", "from") if mail[key]), None)
        if given:
            wrong = f"{path}.transport is `none`, so that no mail is sent"
            yield Problem(f"{path}.{given}", mail[given], wrong, "Choose `ses` or `smtp`, or leave it out.")
        return
    if not mail["from"]:
        cure = "Give an address of a domain that may send through the service, for example `wordpress@example.org`."
        yield Problem(f"{path}.from", UNSET, f"{path}.transport is `{mail['transport']}`", cure)
    if mail["transport"] == "smtp":
        yield from _smtp(mail, path)
        return
    for key in ("host", "secret_arn"):
        if mail[key]:
            wrong = "SES is asked by its API with the nodes' own role"
            yield Problem(f"{path}.{key}", mail[key], wrong, "Leave it out, or choose `smtp`.")
    network = stack["network"]
    if network["nat"] == "none" and not uses_existing_network(stack) and "email" not in network["interface_endpoints"]:
        wrong = "without a NAT gateway the nodes cannot reach email, to which they post mail"
        cure = "Add `email`, or use `single` or `per_az` for wordpress_ha_network.nat."
        yield Problem("wordpress_ha_network.interface_endpoints", network["interface_endpoints"], wrong, cure)


def _smtp(mail: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if not mail["host"]:
        yield Problem(f"{path}.host", UNSET, f"{path}.transport is `smtp`", "Give the host name of the SMTP server.")
    if mail["region"]:
        yield Problem(f"{path}.region", mail["region"], "an SMTP server has none", "Leave it out, or choose `ses`.")
    if mail["encryption"] == "none" and mail["secret_arn"]:
        wrong = "the password would cross the network for everybody to read"
        yield Problem(f"{path}.encryption", "none", wrong, "Use `starttls` or `tls`, or leave the secret out.")


def _sessions(stack: Mapping[str, Any]) -> Iterator[Problem]:
    engine = stack["cache"]["engine"]
    if stack["sessions"] == "cache" and engine in ("none", "memcached"):
        wrong = f"wordpress_ha_cache.engine is `{engine}`, where no session can live"
        yield Problem("wordpress_ha_sessions", "cache", wrong, "Use the engine `valkey` or `redis`, or no sessions.")


def _guard(stack: Mapping[str, Any]) -> Iterator[Problem]:
    names = [one.get("name") for one in stack["guard"]["allowed"]]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        yield Problem("wordpress_ha_guard.allowed", names, f"{name} is allowed twice", "Give one reason for each.")


def uses_existing_network(stack: Mapping[str, Any]) -> bool:
    return bool(stack["network"]["vpc_id"] or stack["network"]["vpc_tags"])


def _network(stack: Mapping[str, Any]) -> Iterator[Problem]:
    network, path = stack["network"], "wordpress_ha_network"
    if uses_existing_network(stack):
        yield from _existing_network(network, path)
        return
    if any(network["subnet_ids"].values()):
        wrong = (
            "wordpress_ha_network.vpc_id and vpc_tags are not set, so that a new VPC with subnets of its own is made"
        )
        cure = "Give the VPC that they belong to, or leave them out."
        yield Problem(
            f"{path}.subnet_ids", {tier: ids for tier, ids in network["subnet_ids"].items() if ids}, wrong, cure
        )
    yield from _address_range(network, path)
    lacking = [name for name in NODE_SERVICES if name not in network["interface_endpoints"]]
    if network["nat"] == "none" and lacking:
        wrong = (
            f"without a NAT gateway the nodes cannot reach {' and '.join(lacking)}, from which they learn what to serve"
        )
        cure = f"Add {', '.join(f'`{name}`' for name in lacking)}, or use `single` or `per_az` for {path}.nat."
        yield Problem(f"{path}.interface_endpoints", network["interface_endpoints"], wrong, cure)


def _existing_network(network: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if network["vpc_id"] and network["vpc_tags"]:
        wrong = "wordpress_ha_network.vpc_id names the VPC already"
        yield Problem(f"{path}.vpc_tags", network["vpc_tags"], wrong, "Give one of the two.")
    for tier, ids in network["subnet_ids"].items():
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            yield Problem(
                f"{path}.subnet_ids.{tier}", ids, f"{', '.join(twice)} is named twice", "Name each subnet once."
            )
        elif len(ids) == 1:
            wrong = "it is one subnet, and a load balancer or a database wants two zones"
            yield Problem(f"{path}.subnet_ids.{tier}", ids, wrong, "Give subnets in two zones at least.")
    if network["interface_endpoints"]:
        wrong = "the VPC exists and is left as it is"
        yield Problem(
            f"{path}.interface_endpoints",
            network["interface_endpoints"],
            wrong,
            "Leave it out, and see to it yourself.",
        )
    if network["flow_logs"]["enabled"]:
        wrong = "the VPC exists and is left as it is"
        yield Problem(f"{path}.flow_logs.enabled", True, wrong, "Leave it out, and see to them yourself.")


def _address_range(network: Mapping[str, Any], path: str) -> Iterator[Problem]:
    cidr, smallest = ipaddress.IPv4Network(network["cidr"]), SMALLEST_SUBNET - SUBNET_BITS
    if cidr.prefixlen > smallest:
        zones = network["availability_zones"]
        count = len(TIERS) * (len(zones) if isinstance(zones, list) else zones)
        wrong = f"it holds {cidr.num_addresses} addresses, too few for {count} subnets of at least /{SMALLEST_SUBNET}"
        larger = ipaddress.IPv4Network(f"{cidr.network_address}/{smallest}", strict=False)
        cure = f"Use a /{smallest} or larger (a smaller number after the slash), for example `{larger}`."
        yield Problem(f"{path}.cidr", str(cidr), wrong, cure)
    if cidr.prefixlen < LARGEST_VPC:
        cure = f"Use a /{LARGEST_VPC}, for example `{cidr.network_address}/{LARGEST_VPC}`."
        yield Problem(f"{path}.cidr", str(cidr), f"AWS allows no VPC above /{LARGEST_VPC}", cure)
    elif cidr.is_global:
        cure = "Use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, for example `10.40.0.0/16`."
        yield Problem(f"{path}.cidr", str(cidr), "these addresses belong to others in the internet", cure)


def _database(stack: Mapping[str, Any]) -> Iterator[Problem]:
    database, path = stack["database"], "wordpress_ha_database"
    serverless, class_ = database["serverless"], database["instance_class"]
    if serverless and class_ != "db.serverless":
        wrong = f"{path}.serverless is set, which is of no use to it"
        yield Problem(f"{path}.instance_class", class_, wrong, "Use `db.serverless`, or leave `serverless` out.")
    if class_ == "db.serverless" and not serverless:
        cure = "Give `{min_capacity: 0.5, max_capacity: 8}` or other bounds."
        yield Problem(
            f"{path}.serverless", UNSET, f"{path}.instance_class is `db.serverless`, which needs bounds", cure
        )
    yield from _serverless(serverless, f"{path}.serverless")
    restore = database["restore"]
    if restore and bool(restore["snapshot"]) == bool(restore["cluster"]):
        wrong = "a cluster is made from one of the two, `snapshot` or `cluster`"
        given = {key: value for key, value in restore.items() if value}
        yield Problem(f"{path}.restore", given, wrong, "Give one of them.")
    elif restore and restore["time"] and not restore["cluster"]:
        cure = "Leave it out, or give `cluster` instead of `snapshot`."
        yield Problem(f"{path}.restore.time", restore["time"], "a snapshot has its own time", cure)
    yield from _windows(database, path)
    existing = database["existing"]
    if not existing:
        return
    for setting in ("proxy", "restore", "serverless"):
        if database[setting]:
            wrong = f"{path}.existing is set, so that no database is made"
            yield Problem(f"{path}.{setting}", database[setting], wrong, "Leave one of the two out.")
    if ".cluster-ro-" in existing["host"]:
        cure = "Give the cluster endpoint, the one without `-ro`."
        yield Problem(
            f"{path}.existing.host", existing["host"], "it leads to readers, which accept no writes (R44)", cure
        )


def _serverless(serverless: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if not serverless:
        return
    least, most = serverless["min_capacity"], serverless["max_capacity"]
    if least > most:
        wrong = f"it is more than {path}.max_capacity, {most:g}"
        yield Problem(f"{path}.min_capacity", least, wrong, "Raise the one or lower the other.")
    for name, value in (("min_capacity", least), ("max_capacity", most)):
        if value * 2 != int(value * 2):
            yield Problem(f"{path}.{name}", value, "capacity comes in halves", f"Use {int(value * 2) / 2 + 0.5:g}.")
    if serverless["pause_after_seconds"] is not None and least > 0:
        wrong = f"a database pauses only if {path}.min_capacity is 0, and it is {least:g}"
        cure = "Use 0 for min_capacity, or leave this out."
        yield Problem(f"{path}.pause_after_seconds", serverless["pause_after_seconds"], wrong, cure)


def _windows(database: Mapping[str, Any], path: str) -> Iterator[Problem]:
    daily, weekly = database["backup_window"], database["maintenance_window"]
    if daily and weekly:
        start, end = (_minutes(one) for one in weekly.split("-"))
        maintained = {minute % (7 * DAY) for minute in range(start, end + (0 if end > start else 7 * DAY))}
        begin, over = (_minutes(f"mon:{one}") for one in daily.split("-"))
        backed_up = range(begin, over + (0 if over > begin else DAY))
        if any((minute + day * DAY) % (7 * DAY) in maintained for minute in backed_up for day in range(7)):
            wrong = f"it overlaps with {path}.backup_window, {daily}"
            yield Problem(f"{path}.maintenance_window", weekly, wrong, "Move one of the two by an hour.")


def _minutes(text: str) -> int:
    """Return the minute of the week of ``sun:04:00``."""
    day, hour, minute = text.split(":")
    return WEEKDAYS.index(day) * DAY + int(hour) * 60 + int(minute)


def _cache(stack: Mapping[str, Any]) -> Iterator[Problem]:
    cache, path = stack["cache"], "wordpress_ha_cache"
    if cache["engine"] == "memcached" and cache["user"]:
        yield Problem(f"{path}.user", cache["user"], "Memcached knows no users", "Leave it out, or use `valkey`.")
    if cache["serverless"]:
        if cache["existing"] or cache["engine"] == "none":
            other = "existing" if cache["existing"] else "engine"
            wrong = f"{path}.{other} says that no cache is made"
            yield Problem(f"{path}.serverless", cache["serverless"], wrong, "Leave one of the two out.")
        elif not any(cache["serverless"].values()):
            cure = "Give at least one limit, such as `max_gb: 5`."
            yield Problem(f"{path}.serverless", cache["serverless"], "it has no limit", cure)
        for unit in ("gb", "ecpu"):
            least, most = cache["serverless"][f"min_{unit}"], cache["serverless"][f"max_{unit}"]
            if least and most and least > most:
                yield Problem(
                    f"{path}.serverless.min_{unit}", least, f"the maximum is {most}", "Do not exceed the maximum."
                )
    if not cache["existing"]:
        return
    if cache["engine"] == "memcached":
        wrong = f"{path}.engine is `memcached`; only a Valkey or Redis that exists can be taken"
        yield Problem(f"{path}.existing", cache["existing"], wrong, "Use `valkey` or `redis`, or leave this out.")
    host = cache["existing"]["host"]
    if host.startswith("clustercfg.") or ".clustercfg." in host:
        wrong = "it is the configuration endpoint of a cache in cluster mode, which WordPress's object cache does not speak (P11)"
        cure = "Give the primary endpoint of a replication group without cluster mode."
        yield Problem(f"{path}.existing.host", host, wrong, cure)
    elif "-ro." in host:
        cure = "Give the primary endpoint."
        yield Problem(f"{path}.existing.host", host, "it leads to replicas, which accept no writes", cure)
    if cache["engine"] == "none":
        wrong = f"{path}.engine is `none`"
        yield Problem(f"{path}.existing", cache["existing"], wrong, "Use `valkey` or `redis`, or leave this out.")


def _files(stack: Mapping[str, Any]) -> Iterator[Problem]:
    files, path = stack["files"], "wordpress_ha_files"
    provisioned = files["throughput_mode"] == "provisioned"
    if provisioned and files["provisioned_mibps"] is None:
        wrong = f"{path}.throughput_mode is `provisioned`"
        yield Problem(f"{path}.provisioned_mibps", UNSET, wrong, "Give MiB per second, or use `elastic`.")
    if not provisioned and files["provisioned_mibps"] is not None:
        wrong = f"{path}.throughput_mode is `{files['throughput_mode']}`"
        yield Problem(
            f"{path}.provisioned_mibps", files["provisioned_mibps"], wrong, "Use `provisioned`, or leave it out."
        )
    lifecycle = files["lifecycle"]
    early, late = lifecycle.get("ia_after_days"), lifecycle.get("archive_after_days")
    if late is not None and early is not None and late <= early:
        wrong = f"files go to Archive after Infrequent Access, and {path}.lifecycle.ia_after_days is {early}"
        yield Problem(f"{path}.lifecycle.archive_after_days", late, wrong, f"Use more than {early} days.")
    yield from _other_region(stack, f"{path}.replication_region", files["replication_region"])
    for setting in ("replication_region", "lifecycle", "kms_key_id"):
        if files["existing"] and files[setting]:
            wrong = f"{path}.existing is set, and that file system is left as it is"
            yield Problem(f"{path}.{setting}", files[setting], wrong, "Leave one of the two out.")


def _other_region(stack: Mapping[str, Any], path: str, region: str | None) -> Iterator[Problem]:
    if region == stack["region"]:
        wrong = "it is the stack's own region, and would be lost together with it"
        yield Problem(path, region, wrong, "Use another region, for example one on the same continent.")


def _media(stack: Mapping[str, Any]) -> Iterator[Problem]:
    media, path = stack["media"], "wordpress_ha_media"
    yield from _other_region(stack, f"{path}.replication_region", media["replication_region"])
    if media["replication_region"] and not media["versioning"]:
        wrong = f"{path}.replication_region is set, and S3 copies only buckets with versions (R68)"
        yield Problem(f"{path}.versioning", False, wrong, "Use true, or leave replication_region out.")
    if media["replication_bucket"] and not media["replication_region"]:
        wrong = f"{path}.replication_region is not set"
        yield Problem(f"{path}.replication_bucket", media["replication_bucket"], wrong, "Give the region of the copy.")


def _balancer(stack: Mapping[str, Any]) -> Iterator[Problem]:
    balancer, path = stack["load_balancer"], "wordpress_ha_load_balancer"
    if balancer["access_logs"]["enabled"] and not balancer["access_logs"]["bucket"]:
        cure = "Name a bucket whose policy lets the load balancer write, or use false for `enabled`."
        yield Problem(f"{path}.access_logs.bucket", UNSET, f"{path}.access_logs.enabled is true", cure)
    delay, request = balancer["deregistration_delay_seconds"], stack["web"]["request_timeout_seconds"]
    if delay < request and not balancer["allow_short_delay"]:
        wrong = f"requests may take {request} seconds (wordpress_ha_web.request_timeout_seconds), and those of a node that leaves would be cut off (P44)"
        cure = f"Use at least {request}, or set {path}.allow_short_delay to true in a stack for trial."
        yield Problem(f"{path}.deregistration_delay_seconds", delay, wrong, cure)
    taken = {stack["site"]["domain"]: "wordpress_ha_site.domain"}
    names = set()
    for index, site in enumerate(balancer["sites"]):
        where = f"{path}.sites[{index}]"
        if site["name"] in names or site["name"] == "web":
            yield Problem(f"{where}.name", site["name"], "another site has this name", "Give each site its own.")
        names.add(site["name"])
        for number, host in enumerate(site["hosts"]):
            if host in taken:
                yield Problem(f"{where}.hosts[{number}]", host, f"{taken[host]} is the same", "Name each host once.")
            taken[host] = f"{where}.hosts[{number}]"


def _web(stack: Mapping[str, Any]) -> Iterator[Problem]:
    web, path = stack["web"], "wordpress_ha_web"
    if web["min"] > web["max"]:
        wrong = f"it is more than {path}.max, {web['max']}"
        yield Problem(f"{path}.min", web["min"], wrong, "Raise the one or lower the other.")
    if web["builder_connection"] == "ssh" and not web["key_name"]:
        wrong = f"{path}.builder_connection is `ssh`, which needs a key pair"
        yield Problem(f"{path}.key_name", UNSET, wrong, "Name an EC2 key pair of the region, or use `ssm`.")
    if web["spot"] and not web["instance_types"]:
        wrong = f"{path}.spot is set, and Spot takes a single type back from all nodes at once"
        cure = f"Give three or more, for example `[{web['instance_type']}, c5.large, c5a.large]`, or leave spot out."
        yield Problem(f"{path}.instance_types", web["instance_types"], wrong, cure)
    if web["warm_pool"] and web["instance_types"]:
        wrong = f"{path}.instance_types is set, and AWS keeps no warm pool for a mixed group"
        yield Problem(f"{path}.warm_pool", web["warm_pool"], wrong, "Leave one of the two out.")
    names = [schedule["name"] for schedule in web["schedules"]]
    for index, schedule in enumerate(web["schedules"]):
        yield from _schedule(schedule, f"{path}.schedules[{index}]", names[:index])


def _schedule(schedule: Mapping[str, Any], path: str, earlier: list[str]) -> Iterator[Problem]:
    least, most, wanted = schedule["min"], schedule["max"], schedule["desired"]
    if schedule["name"] in earlier:
        yield Problem(f"{path}.name", schedule["name"], "another schedule has this name", "Give each its own.")
    if least is None and most is None and wanted is None:
        yield Problem(f"{path}.min", UNSET, "the schedule would change nothing", "Give min, max or desired.")
    if least is not None and most is not None and least > most:
        yield Problem(f"{path}.min", least, f"it is more than its max, {most}", "Raise the one or lower the other.")
    elif wanted is not None and (wanted < (least or 0) or (most is not None and wanted > most)):
        yield Problem(f"{path}.desired", wanted, "it is not between its min and max", "Choose a number in between.")


def _edge(stack: Mapping[str, Any]) -> Iterator[Problem]:
    edge, path = stack["edge"], "wordpress_ha_edge"
    if not edge["enabled"]:
        return
    for index, name in enumerate(edge["presets"]):
        if name not in PRESETS:
            allowed = f"allowed: {', '.join(f'`{one}`' for one in PRESETS)}"
            yield Problem(f"{path}.presets[{index}]", name, allowed, "Use these.")
    request, given = stack["web"]["request_timeout_seconds"], edge["origin_read_timeout_seconds"]
    if given is not None and given <= request + BALANCER_MARGIN:
        wrong = f"the load balancer answers after up to {request + BALANCER_MARGIN} seconds, and the edge would give up before (P8)"
        cure = f"Use at least {request + BALANCER_MARGIN + 1}, or lower wordpress_ha_web.request_timeout_seconds."
        yield Problem(f"{path}.origin_read_timeout_seconds", given, wrong, cure)
    if given is None and request + EDGE_MARGIN > LONGEST_READ:
        wrong = f"CloudFront waits {LONGEST_READ} seconds for an answer at most, which must be {EDGE_MARGIN} more than this (P8)"
        cure = f"Use at most {LONGEST_READ - EDGE_MARGIN}, or have AWS raise the quota and set {path}.origin_read_timeout_seconds."
        yield Problem("wordpress_ha_web.request_timeout_seconds", request, wrong, cure)
    balancer = stack["load_balancer"]
    ranges = balancer["ingress_cidrs"]
    if edge["origin_access"] in ("prefix_list", "vpc_origin") and ranges != [EVERYWHERE]:
        wrong = f"{path}.origin_access is `{edge['origin_access']}`, so that only CloudFront reaches the load balancer"
        cure = f"Leave it out, or set {path}.origin_access to `secret_header`."
        yield Problem("wordpress_ha_load_balancer.ingress_cidrs", ranges, wrong, cure)
    own_certificate = balancer["certificate_arn"] or balancer["certificate_domain"]
    named = edge["origin_domain"] or (stack["dns"]["zone"] and not own_certificate)
    # The rehearsal's own name has no public DNS, and its edge no such scruples.
    literal = edge["behavior_set"] == "whitepaper" and stack["site"]["domain"] != "localhost"
    if literal and balancer["https"] and not named:
        wrong = "files of the set `whitepaper` are asked for under the load balancer's own name, for which nobody gets a certificate"
        cure = "Give a host name that leads there and that its certificate covers, or name wordpress_ha_dns.zone, or use `recommended`."
        yield Problem(f"{path}.origin_domain", UNSET, wrong, cure)


def _dns(stack: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the names that the hosted zone does not hold."""
    zone = stack["dns"]["zone"]
    if not zone:
        return
    names = {"wordpress_ha_site.domain": stack["site"]["domain"]}
    if stack["edge"]["enabled"]:
        for index, name in enumerate(stack["edge"]["aliases"]):
            names[f"wordpress_ha_edge.aliases[{index}]"] = name
        if stack["edge"]["origin_domain"]:
            names["wordpress_ha_edge.origin_domain"] = stack["edge"]["origin_domain"]
    wrong = f"it is not in the zone {zone}, which wordpress_ha_dns.zone names"
    cure = "Use the zone that holds it, or leave wordpress_ha_dns.zone out and make certificates and records yourself."
    for path, name in names.items():
        if name != zone and not name.endswith(f".{zone}"):
            yield Problem(path, name, wrong, cure)


def _bastion(stack: Mapping[str, Any]) -> Iterator[Problem]:
    bastion, path = stack["bastion"], "wordpress_ha_bastion"
    if not bastion["enabled"]:
        return
    if not bastion["ingress_cidrs"]:
        wrong = f"{path}.enabled is true, and a bastion that nobody reaches is of no use (R32)"
        cure = f"Give the address ranges of your offices or VPN, or set {path}.enabled to false: Session Manager reaches every node."
        yield Problem(f"{path}.ingress_cidrs", UNSET, wrong, cure)
    for index, cidr in enumerate(bastion["ingress_cidrs"]):
        if ipaddress.IPv4Network(cidr).prefixlen < WIDEST_INGRESS:
            wrong = "SSH would be open to the world"
            cure = "Give the address ranges of your offices or VPN, for example `198.51.100.0/24`."
            yield Problem(f"{path}.ingress_cidrs[{index}]", cidr, wrong, cure)


def _backups(stack: Mapping[str, Any]) -> Iterator[Problem]:
    backups = stack["backups"]
    if not backups["enabled"]:
        return
    lock = backups["vault_lock"]
    if lock and lock["max_retention_days"] is not None and lock["max_retention_days"] < lock["min_retention_days"]:
        wrong = f"it is less than min_retention_days, {lock['min_retention_days']}"
        path = "wordpress_ha_backups.vault_lock.max_retention_days"
        yield Problem(path, lock["max_retention_days"], wrong, "Raise the one or lower the other.")
    for component, plan in backups["plans"].items():
        if plan["enabled"]:
            yield from _plan(stack, plan, f"wordpress_ha_backups.plans.{component}", lock)


def _plan(stack: Mapping[str, Any], plan: Mapping[str, Any], path: str, lock: Mapping[str, Any]) -> Iterator[Problem]:
    cold, kept = plan["cold_after_days"], plan["retention_days"]
    if cold is not None and kept < cold + COLD_DAYS:
        wrong = f"cold storage begins after {cold} days and holds everything for {COLD_DAYS} days at least"
        yield Problem(
            f"{path}.retention_days", kept, wrong, f"Use at least {cold + COLD_DAYS}, or leave cold_after_days out."
        )
    yield from _other_region(stack, f"{path}.copy_region", plan["copy_region"])
    if plan["copy_retention_days"] is not None and not plan["copy_region"]:
        wrong = f"{path}.copy_region is not set, so that there is no copy"
        yield Problem(
            f"{path}.copy_retention_days", plan["copy_retention_days"], wrong, "Give the region, or leave it out."
        )
    if lock and not lock["min_retention_days"] <= kept <= (lock["max_retention_days"] or kept):
        wrong = "wordpress_ha_backups.vault_lock does not allow it"
        cure = f"Use {lock['min_retention_days']} to {lock['max_retention_days'] or 36500} days."
        yield Problem(f"{path}.retention_days", kept, wrong, cure)


def _monitoring(stack: Mapping[str, Any]) -> Iterator[Problem]:
    monitoring, path = stack["monitoring"], "wordpress_ha_monitoring"
    if not monitoring["enabled"]:
        return
    if monitoring["topic_arn"] and monitoring["emails"]:
        wrong = f"{path}.topic_arn names a topic of yours, whose subscriptions are yours as well"
        yield Problem(f"{path}.emails", monitoring["emails"], wrong, "Leave one of the two out.")
    source = monitoring["agent_source"] or "https://"
    if monitoring["agent"] and source.startswith("http") and not monitoring["agent_checksum"]:
        wrong = f"{path}.agent is true, and a package from the internet is not trusted unseen"
        cure = "Give the package's digest, `sha256:...`, or the path of a package that you have checked."
        yield Problem(f"{path}.agent_checksum", UNSET, wrong, cure)
    if monitoring["topic_arn"] and f":{stack['region']}:" not in monitoring["topic_arn"]:
        wrong = f"alarms of {stack['region']} reach only topics of that region"
        yield Problem(f"{path}.topic_arn", monitoring["topic_arn"], wrong, "Give a topic of the region.")


def subnets(cidr: str, zones: int) -> dict[str, list[str]]:
    """Return the subnet ranges of each tier: a sixteenth of the VPC each, in slots that further zones do not move."""
    slots = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=SUBNET_BITS))
    return {tier: [str(slots[index * ZONE_SLOTS + zone]) for zone in range(zones)] for index, tier in enumerate(TIERS)}

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS would refuse of a wanted Aurora cluster, said before the first write: option, value, cure. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import _owned
from ._aurora_fields import SERVERLESS, major, version_key
from ._plan import Refused, is_known

MOST_READERS = 15
RETENTION = (1, 35)
LEAST_WINDOW = 30  # minutes
PAUSE = (300, 86400)  # seconds
CAPACITY_LIMIT = 256  # Aurora capacity units
MONITORING_INTERVALS = (0, 1, 5, 10, 15, 30, 60)
#: The first Aurora MySQL versions that scale by capacity units, and down to none.
SERVERLESS_SINCE, PAUSE_SINCE = [8, 0, 3, 2], [8, 0, 3, 8]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 24 * 60, 7 * 24 * 60

NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,58}[a-z0-9])?")
SNAPSHOT_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,253}[a-z0-9])?")
CLASS = re.compile(r"db\.[a-z0-9-]+(\.[a-z0-9-]+)?")
TIME_OF_DAY = r"([01][0-9]|2[0-3]):([0-5][0-9])"
DAILY = re.compile(rf"{TIME_OF_DAY}-{TIME_OF_DAY}")
WEEKLY = re.compile(rf"({'|'.join(DAYS)}):{TIME_OF_DAY}-({'|'.join(DAYS)}):{TIME_OF_DAY}")

Params = Mapping[str, Any]


def check_input(params: Params) -> None:
    """Raise ``Refused`` with everything that is wrong with the parameters by themselves."""
    found = list(_problems(params))
    if found:
        raise Refused(" ".join(found))


def _problems(params: Params) -> Iterator[str]:
    name = params["name"]
    if not NAME.fullmatch(name.lower()):
        yield (
            f"name is {name!r}: use up to 60 letters, digits and single hyphens, a letter first and no hyphen at the end."
        )
    if params["state"] == "absent":
        yield from _snapshot_problems(params)
        return
    if params["state"] != "present":
        return
    if not 0 <= params["readers"] <= MOST_READERS:
        yield f"readers is {params['readers']}: a cluster has 0 to {MOST_READERS} of them; give a number in that range."
    days = params["backup_retention_days"]
    if days is not None and not RETENTION[0] <= days <= RETENTION[1]:
        yield f"backup_retention_days is {days}: Aurora keeps backups for {RETENTION[0]} to {RETENTION[1]} days; give one of them."
    subnets = params["subnet_ids"]
    if is_known(subnets) and len(set(subnets)) < 2:
        yield f"subnet_ids is {subnets!r}: give subnets in at least two Availability Zones."
    yield from _window_problems(params)
    yield from _class_problems(params)
    yield from _monitoring_problems(params)
    yield from _restore_problems(params["restore"])


def _snapshot_problems(params: Params) -> Iterator[str]:
    name = params["final_snapshot_name"]
    if name and not SNAPSHOT_NAME.fullmatch(name.replace("{created}", "0").lower()):
        yield (
            f"final_snapshot_name is {name!r}: use letters, digits and single hyphens, a letter first and no hyphen at the end."
        )


# -- windows ---------------------------------------------------------------------------------------------------------------


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def _window_problems(params: Params) -> Iterator[str]:
    backup, maintenance = params["backup_window"], params["maintenance_window"]
    daily = DAILY.fullmatch(backup.lower()) if backup else None
    weekly = WEEKLY.fullmatch(maintenance.lower()) if maintenance else None
    if backup and not daily:
        yield f"backup_window is {backup!r}: give a daily time in UTC, such as '03:00-03:30'."
    if maintenance and not weekly:
        yield f"maintenance_window is {maintenance!r}: give a weekly time in UTC, such as 'sun:04:00-sun:04:30'."
    begin = length = 0
    if daily:
        begin = _minutes(daily[1], daily[2])
        length = (_minutes(daily[3], daily[4]) - begin) % DAY
        if length < LEAST_WINDOW:
            yield f"backup_window is {backup!r}: make it at least {LEAST_WINDOW} minutes long."
    if weekly:
        first = DAYS.index(weekly[1]) * DAY + _minutes(weekly[2], weekly[3])
        lasting = (DAYS.index(weekly[4]) * DAY + _minutes(weekly[5], weekly[6]) - first) % WEEK
        if not LEAST_WINDOW <= lasting < DAY:
            yield f"maintenance_window is {maintenance!r}: make it at least {LEAST_WINDOW} minutes and less than a day long."
        elif daily and _overlap(begin, length, first % DAY, lasting):
            yield (
                f"backup_window is {backup!r} and maintenance_window is {maintenance!r}: they overlap. Move one of the two."
            )


def _overlap(one: int, one_length: int, other: int, other_length: int) -> bool:
    """Tell whether two daily times, in minutes, have a minute in common."""
    return (other - one) % DAY < one_length or (one - other) % DAY < other_length


def check_windows(wanted: Params, cluster: Params) -> None:
    """Raise ``Refused`` where a window that is given overlaps the other one, which the cluster has and keeps."""
    both = {name: wanted.get(name) or cluster.get(name) for name in ("backup_window", "maintenance_window")}
    if all(wanted.get(name) in (None, cluster.get(name)) for name in both):
        return
    for problem in _window_problems(both):
        raise Refused(problem)


# -- classes ---------------------------------------------------------------------------------------------------------------


def classes(params: Params) -> list[str]:
    """Return the classes that are asked for, each once."""
    named = [one["instance_class"] for one in (params["instances"] or {}).values()]
    return list(dict.fromkeys(name for name in [params["instance_class"], *named] if name))


def _class_problems(params: Params) -> Iterator[str]:
    capacity, wanted = params["serverless"], classes(params)
    for name in wanted:
        if not CLASS.fullmatch(name):
            yield f"instance_class is {name!r}: give a class of RDS, such as 'db.r6g.large' or '{SERVERLESS}'."
    for number, one in (params["instances"] or {}).items():
        if not re.fullmatch(r"[1-9]|1[0-6]", str(number)):
            yield f"instances names {number!r}: name instances by their numbers, 1 to 16."
        if one["promotion_tier"] is not None and not 0 <= one["promotion_tier"] <= 15:
            yield f"instances.{number}.promotion_tier is {one['promotion_tier']}: give 0 (first to be promoted) to 15."
    if capacity is None:
        return
    if SERVERLESS not in wanted:
        yield (
            f"instance_class is {params['instance_class']!r} and serverless is given, which no instance would use: "
            f"set instance_class to '{SERVERLESS}', or leave out serverless."
        )
    yield from _capacity_problems(capacity, params["engine_version"])


def _capacity_problems(capacity: Params, version: str | None) -> Iterator[str]:
    least, most, pause = (capacity[name] for name in ("min_capacity", "max_capacity", "pause_after_seconds"))
    for name, value, lowest in (("min_capacity", least, 0), ("max_capacity", most, 1)):
        if not lowest <= value <= CAPACITY_LIMIT or value * 2 != int(value * 2):
            yield f"serverless.{name} is {value:g}: give {lowest} to {CAPACITY_LIMIT} in steps of 0.5."
    if least > most:
        yield f"serverless.min_capacity is {least:g} and max_capacity {most:g}: the least is above the most; swap them."
    if pause is not None and least > 0:
        yield (
            f"serverless.pause_after_seconds is {pause} and min_capacity is {least:g}: only a cluster that may shrink to 0 "
            "pauses. Set min_capacity to 0, or leave out pause_after_seconds."
        )
    if pause is not None and not PAUSE[0] <= pause <= PAUSE[1]:
        yield f"serverless.pause_after_seconds is {pause}: give {PAUSE[0]} to {PAUSE[1]} seconds."
    numbers = version_key(version or "")
    if len(numbers) >= 4:
        if numbers < SERVERLESS_SINCE:
            yield f"serverless is given and engine_version is {version!r}: use 8.0.mysql_aurora.3.02.0 or newer."
        elif least == 0 and numbers < PAUSE_SINCE:
            yield (
                f"serverless.min_capacity is 0 and engine_version is {version!r}: give 0.5 or more, or use "
                "8.0.mysql_aurora.3.08.0 or newer."
            )


def _monitoring_problems(params: Params) -> Iterator[str]:
    interval, days = params["monitoring_interval"], params["performance_insights_retention_days"]
    if interval is not None and interval not in MONITORING_INTERVALS:
        yield f"monitoring_interval is {interval}: give {', '.join(map(str, MONITORING_INTERVALS))} seconds."
    if interval and not params["monitoring_role_arn"]:
        yield (
            f"monitoring_interval is {interval} and monitoring_role_arn is not set: name the role that may write the "
            "metrics, or set the interval to 0."
        )
    if days is not None and days not in (7, 731) and (days % 31 or not 31 <= days <= 23 * 31):
        yield f"performance_insights_retention_days is {days}: give 7, 731, or whole months of 31 days up to 713."
    if days is not None and params["performance_insights"] is False:
        yield f"performance_insights_retention_days is {days} and performance_insights is false: leave one of the two out."


# -- versions --------------------------------------------------------------------------------------------------------------


def wanted_version(running: str, wanted: str | None, allow_major: bool, auto_minor: bool, arn: str) -> str | None:
    """Return the version a running cluster should have: the running one where it satisfies what is wanted.

    :param auto_minor: whether AWS upgrades minor versions; what it has upgraded satisfies an older version then.
    :raises Refused: for a version AWS cannot go back to, and for a major upgrade that is not allowed explicitly.
    """
    if wanted is None or _owned.same_version(running, wanted):
        return running if wanted else None
    newer = version_key(wanted) > version_key(running)
    if not newer:
        if auto_minor and major(wanted) == major(running):
            return running
        raise Refused(
            f"engine_version is {wanted!r} and the cluster runs {running!r}: Aurora cannot go back to an older version. "
            f"Set engine_version to {running!r}, or restore a snapshot of that time under another name."
        )
    if major(wanted) != major(running) and not allow_major:
        raise Refused(
            f"engine_version is {wanted!r} and the cluster runs {running!r}: that is a major upgrade. Rehearse it in a "
            f"blue/green deployment (aws rds create-blue-green-deployment --source {arn} --target-engine-version {wanted} "
            "...), switch over, and set engine_version to what then runs. Or set allow_major_upgrade to true to upgrade in "
            "place, with a downtime and without a way back but a snapshot."
        )
    return wanted


# -- restoring -------------------------------------------------------------------------------------------------------------


def parsed_time(text: str) -> datetime.datetime | None:
    """Return a moment from ISO 8601 text with a time zone; None if it is none."""
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip()))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _restore_problems(restore: Params | None) -> Iterator[str]:
    if not restore:
        return
    if bool(restore["snapshot"]) == bool(restore["cluster"]):
        yield (
            f"restore.snapshot is {restore['snapshot']!r} and restore.cluster is {restore['cluster']!r}: give exactly one."
        )
    if restore["time"] and not restore["cluster"]:
        yield f"restore.time is {restore['time']!r} without restore.cluster: a snapshot holds one moment only; leave out the time."
    if restore["time"] and parsed_time(restore["time"]) is None:
        yield f"restore.time is {restore['time']!r}: give ISO 8601 with a time zone, such as '2026-01-31T12:00:00Z'."


def check_snapshot(name: str, found: Sequence[Params], params: Params) -> None:
    """Raise ``Refused`` unless the snapshot can become the wanted cluster."""
    if not found:
        raise Refused(
            f"restore.snapshot is {name!r}: there is no such cluster snapshot here. Copy it into this region and account."
        )
    (snapshot,) = found
    if snapshot.get("Status") != "available":
        raise Refused(
            f"restore.snapshot is {name!r}, whose state is {snapshot.get('Status')!r}: wait until it is available."
        )
    _check_origin(f"restore.snapshot is {name!r}, a snapshot", snapshot, params)
    wanted, held = params["engine_version"], snapshot.get("EngineVersion", "")
    if wanted and major(wanted) != major(held) and not params["allow_major_upgrade"]:
        raise Refused(
            f"engine_version is {wanted!r} and the snapshot {name!r} holds {held!r}: that is a major upgrade. Set engine_version "
            f"to {held!r} and upgrade later in a blue/green deployment, or set allow_major_upgrade to true."
        )


def check_source(name: str, found: Sequence[Params], params: Params) -> None:
    """Raise ``Refused`` unless the cluster, at the wanted time, can become the wanted one."""
    if not found:
        raise Refused(f"restore.cluster is {name!r}: there is no such Aurora cluster here. Restore a snapshot instead.")
    (source,) = found
    _check_origin(f"restore.cluster is {name!r}, a cluster", source, params)
    wanted, held = params["engine_version"], source.get("EngineVersion", "")
    if wanted and major(wanted) != major(held):
        raise Refused(
            f"engine_version is {wanted!r} and restore.cluster {name!r} runs {held!r}: a point in time is restored with the "
            f"version of its cluster. Set engine_version to {held!r}, and upgrade afterwards."
        )
    if params["storage_encrypted"] is not False and not source.get("StorageEncrypted"):
        raise Refused(
            f"restore.cluster is {name!r}, which is not encrypted: only a snapshot of it can be restored encrypted. Take one, and "
            "name it as restore.snapshot."
        )
    there = source.get("DatabaseName")
    if there and params["database_name"] and there != params["database_name"]:
        raise Refused(
            f"database_name is {params['database_name']!r} and restore.cluster {name!r} holds {there!r}: set it to {there!r}."
        )
    moment = parsed_time(params["restore"]["time"]) if params["restore"]["time"] else None
    earliest, latest = source.get("EarliestRestorableTime"), source.get("LatestRestorableTime")
    if moment and ((earliest and moment < earliest) or (latest and moment > latest)):
        raise Refused(
            f"restore.time is {params['restore']['time']!r}: {name!r} can be restored to any time from {earliest} to {latest}. "
            "Give one in between, or leave it out for the latest."
        )


def _check_origin(what: str, origin: Params, params: Params) -> None:
    if origin.get("Engine") != "aurora-mysql":
        raise Refused(f"{what} of the engine {origin.get('Engine')!r}: only Aurora MySQL can be restored as a cluster.")
    wanted, held = params["engine_version"], origin.get("EngineVersion", "")
    if wanted and not _owned.same_version(held, wanted) and version_key(wanted) < version_key(held):
        raise Refused(f"{what} of {held!r}, and engine_version is {wanted!r}, which is older: set it to {held!r}.")
    user, theirs = params["master_username"], origin.get("MasterUsername")
    if user and theirs and user != theirs:
        raise Refused(f"{what} whose master user is {theirs!r}, and master_username is {user!r}: set it to {theirs!r}.")


# -- places ----------------------------------------------------------------------------------------------------------------


def check_subnets(wanted: Iterable[str], found: Iterable[Params]) -> list[str]:
    """Return the zones of described subnets, sorted.

    :raises Refused: if one does not exist, they are in several VPCs, or in one zone.
    """
    by_id = {subnet["SubnetId"]: subnet for subnet in found}
    missing = sorted(set(wanted) - set(by_id))
    if missing:
        raise Refused(
            f"subnet_ids names {', '.join(missing)}: there is no such subnet in this region. Correct or remove it."
        )
    vpcs = sorted({subnet["VpcId"] for subnet in by_id.values()})
    if len(vpcs) > 1:
        raise Refused(f"subnet_ids has subnets of {' and '.join(vpcs)}: give those of one VPC.")
    zones = sorted({subnet["AvailabilityZone"] for subnet in by_id.values()})
    if len(zones) < 2:
        raise Refused(
            f"subnet_ids has subnets in {zones[0]} alone: Aurora wants two Availability Zones; add a subnet in another zone."
        )
    return zones


def check_zones(given: Sequence[str] | None, there: Sequence[str]) -> list[str]:
    """Return the zones that instances may be put into.

    :raises Refused: for a zone that no subnet is in.
    """
    foreign = sorted(set(given or ()) - set(there))
    if foreign:
        raise Refused(
            f"zones names {', '.join(foreign)}, where no subnet of subnet_ids is: use some of {', '.join(there)}."
        )
    return list(dict.fromkeys(given or there))


def check_offer(name: str, version: str | None, options: Iterable[Params], zones: Sequence[str]) -> list[str]:
    """Return those of the zones in which a class is offered.

    :raises Refused: if it is offered in none of them.
    """
    offered = {zone["Name"] for option in options for zone in option.get("AvailabilityZones", [])}
    if not offered:
        raise Refused(
            f"instance_class is {name!r}: Aurora MySQL {version or ''} does not run on it in this region. Use another class, such "
            f"as 'db.r6g.large', 'db.t4g.medium' or '{SERVERLESS}'."
        )
    fitting = [zone for zone in zones if zone in offered]
    if zones and not fitting:
        raise Refused(
            f"instance_class is {name!r}, which is offered in {', '.join(sorted(offered))} only, and not in {', '.join(zones)}: "
            "use another class, or subnets there."
        )
    return fitting


def check_version(wanted: str, whole: str | None, offered: Iterable[str]) -> str:
    """Return the whole version that satisfies the wanted one.

    :raises Refused: if none of those that are offered does.
    """
    if whole is None:
        newest_ones = ", ".join(sorted(offered, key=version_key)[-3:])
        raise Refused(f"engine_version is {wanted!r}, which AWS does not offer. The newest here are {newest_ones}.")
    return whole

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the edge fetch anew what PHP noted as stale in the spool.

Started by systemd when a note appears, and once a minute while one waits. Notes of about a second are sent as one invalidation:
deduplicated, collapsed (P35). What cannot be sent now stays in the spool. What a stack without an edge notes is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boot_agent

#: Seconds in which notes are gathered: a save in the editor is several requests, a bulk edit on two nodes is many.
GATHER = 1.0
#: Seconds that one run tries for, with growing pauses; after it the timer starts the next one.
PATIENCE = 90.0
#: Seconds after which a note is dropped: everything it named has left the edge by then, or CloudFront was away for a day.
OLDEST = 24 * 3600
#: Seconds for which a run remembers the distribution's id.
REMEMBERED = 60
#: CloudFront bills each path and has 15 wildcards in progress for a distribution, of all nodes together.
MOST_PATHS = 30
MOST_WILDCARDS = 10
#: Refusals for too much in progress after which the whole site is asked for: that takes one place, whatever the notes hold.
PATIENT_REFUSALS = 2
#: Bytes of a note; PHP's plugin writes at most a twentieth of it.
LARGEST = 1024 * 1024
LONGEST_PATH = 2048
EVERYTHING = "/*"
#: The process could not do its work now; systemd's name for it is TEMPFAIL.
LATER = 75

BUSY = {
    "TooManyInvalidationsInProgress",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "PriorRequestNotComplete",
}


class Later(Exception):
    """Nothing can be sent now; ``is_busy`` tells that CloudFront has too much to do for this distribution."""

    def __init__(self, reason: object, is_busy: bool = False) -> None:
        super().__init__(str(reason))
        self.is_busy = is_busy


class Gone(Exception):
    """There is no such distribution."""


def log(message: str) -> None:
    print(f"purge agent: {message}", flush=True)


# --- paths, as plain data --------------------------------------------------------------------------------------------


def normalised(path: object) -> str | None:
    """Return a path as CloudFront takes it, or None for what is none.

    Nothing follows the wildcard, and what a URL may not hold as it is, is percent-encoded. What is encoded already stays.
    """
    if not isinstance(path, str) or not path.startswith("/") or len(path) > LONGEST_PATH:
        return None
    stem, star, _unused = path.partition("*")
    return urllib.parse.quote(stem, safe="/?&=%:@!$'()+,;-._~[]") + star


def without_covered(paths: Iterable[str]) -> list[str]:
    """Return the paths that no wildcard among them covers, sorted."""
    found = set(paths)
    stems = {path[:-1] for path in found if path.endswith("*")}

    def is_covered(path: str) -> bool:
        end = len(path) - 1 if path.endswith("*") else len(path) + 1
        return any(path[:length] in stems for length in range(1, end))

    return sorted(path for path in found if not is_covered(path))


def shortened(path: str, depth: int) -> str:
    """Return the wildcard over the first ``depth`` folders of a path that goes deeper, or the path itself."""
    folders, name = path.split("/")[:-1], path.rsplit("/", 1)[1]
    goes_deeper = len(folders) - 1 > depth or (len(folders) - 1 == depth and name)
    return "/".join(folders[: depth + 1]) + "/*" if goes_deeper else path


def fits(paths: list[str]) -> bool:
    return len(paths) <= MOST_PATHS and sum(path.endswith("*") for path in paths) <= MOST_WILDCARDS


def collapsed(paths: Iterable[str]) -> list[str]:
    """Return few paths that cover all the given ones: whole folders, the deepest first; in the end the whole site."""
    found = without_covered(paths)
    depth = max((path.count("/") for path in found), default=1)
    while not fits(found) and depth > 1:
        depth -= 1
        found = without_covered(shortened(path, depth) for path in found)
    return found if fits(found) else [EVERYTHING]


# --- the spool -------------------------------------------------------------------------------------------------------


class Spool:
    """Notes of PHP, ``*.json``. A run claims what it works on by renaming, so that systemd sees at once what is new."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def claim(self) -> list[Path]:
        """Return all notes worth sending: those that are new, and those that an earlier run could not send."""
        for note in self.folder.glob("*.json"):
            note.rename(note.with_suffix(".claimed"))
        claimed = set(self.folder.glob("*.claimed"))
        # Among them: what a PHP process that was killed has begun to write.
        old = {note for note in self.folder.glob("*") if time.time() - note.lstat().st_mtime > OLDEST}
        if old & claimed:
            log(f"dropped {len(old & claimed)} notes that nobody took for {OLDEST // 3600} hours")
        self.drop(old)
        return sorted(claimed - old)

    def drop(self, notes: Iterable[Path]) -> None:
        for note in notes:
            note.unlink(missing_ok=True)


def paths_in(note: Path) -> set[str]:
    """Return the paths of one note. PHP wrote it, so what it holds is not trusted: no link, no device, nothing huge is read."""
    try:
        descriptor = os.open(note, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            about = os.fstat(stream.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                raise ValueError("it is no small file")
            held = json.loads(stream.read())
        listed = held["paths"] if isinstance(held, dict) else None
        if not isinstance(listed, list):
            raise ValueError("it holds no list of paths")
    except (OSError, ValueError, KeyError) as error:
        log(f"left out {note.name}: {error}")
        return set()
    return {path for path in map(normalised, listed) if path}


# --- the edge --------------------------------------------------------------------------------------------------------


@dataclass
class Edge:
    """The distribution of this node's stack, asked with the node's role."""

    config: Mapping[str, Any]
    now: Callable[[], float] = time.monotonic
    known: tuple[str, float] | None = None
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def distribution(self) -> str:
        """Return the id of the stack's distribution; empty for a stack without one."""
        if self.known is None or self.now() - self.known[1] > REMEMBERED:
            self.known = self.look_up(), self.now()
        return self.known[0]

    def look_up(self) -> str:
        found = self.from_file() if self.config["source"] == "file" else self.from_parameter()
        return "" if found.strip().lower() in ("", "none") else found.strip()

    def from_file(self) -> str:
        """Return the id as the boot agent noted it for a node without a parameter tree."""
        try:
            noted = json.loads(Path(self.config["run_dir"], "edge.json").read_text())
            return boot_agent.leaf(noted, "distribution_id")
        except (OSError, ValueError) as error:
            log(f"no edge is known: {error}")
            return ""

    def from_parameter(self) -> str:
        import botocore.exceptions

        try:
            stack = boot_agent.imds(f"tags/instance/{boot_agent.STACK_TAG}")
            parameters = self.client("ssm", boot_agent.imds("placement/region"))
            answer = parameters.get_parameter(Name=f"/wordpress_ha/{stack}/edge/distribution_id")
        except boot_agent.NotYet as reason:
            raise Later(reason) from reason
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return ""
            raise Later(error) from error
        except botocore.exceptions.BotoCoreError as error:
            raise Later(error) from error
        return str(answer["Parameter"]["Value"])

    def invalidate(self, distribution: str, paths: list[str], reference: str) -> str:
        """Ask for an invalidation and return its id. The same reference again is the same invalidation, not another one."""
        import botocore.exceptions

        batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": reference}
        try:
            answer = self.client("cloudfront", "us-east-1").create_invalidation(
                DistributionId=distribution, InvalidationBatch=batch
            )
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchDistribution":
                self.known = None
                raise Gone(error) from error
            if code == "InvalidArgument" and paths != [EVERYTHING]:
                log(f"CloudFront takes not all of {len(paths)} paths, so the whole site: {error}")
                return self.invalidate(distribution, [EVERYTHING], f"{reference}-all")
            raise Later(error, is_busy=code in BUSY) from error
        except botocore.exceptions.BotoCoreError as error:
            raise Later(error) from error
        return str(answer["Invalidation"]["Id"])

    def client(self, service: str, region: str) -> Any:
        import botocore.config
        import botocore.session

        if (service, region) not in self.clients:
            self.clients[service, region] = botocore.session.Session().create_client(
                service,
                region_name=region,
                verify=self.config["ca_bundle"],
                config=botocore.config.Config(
                    connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 1, "mode": "standard"}
                ),
            )
        return self.clients[service, region]


# --- a run -----------------------------------------------------------------------------------------------------------


def reference(notes: Iterable[Path], paths: Iterable[str]) -> str:
    """Return a digest of these notes: if an answer gets lost, asking again asks for the same invalidation (P35)."""
    told = "\n".join([*(note.name for note in notes), "", *paths])
    return f"wordpress_ha/{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def send(spool: Spool, edge: Edge, notes: list[Path], is_refused: bool) -> None:
    """Send the notes as one invalidation and drop them; Later if that does not work now."""
    paths = collapsed({path for note in notes for path in paths_in(note)})
    distribution = edge.distribution() if paths else ""
    if is_refused and paths:
        paths = [EVERYTHING]
    if not distribution:
        log(f"dropped {len(notes)} notes: there is no edge to purge" if paths else f"dropped {len(notes)} empty notes")
    else:
        try:
            invalidation = edge.invalidate(distribution, paths, reference(notes, paths))
            shown = " ".join(paths[:10]) + (" ..." if len(paths) > 10 else "")
            log(f"{len(notes)} notes: invalidation {invalidation} of {len(paths)} paths at {distribution}: {shown}")
        except Gone:
            log(f"dropped {len(notes)} notes: the distribution {distribution} is gone")
    spool.drop(notes)


def run(spool: Spool, edge: Edge, sleep: Callable[[float], None] = time.sleep) -> int:
    """Work until the spool is empty, or until patience ends: then the notes stay for the next run."""
    pause, waited, refusals = 2.0, 0.0, 0
    notes = spool.claim()
    while notes:
        sleep(GATHER)
        notes = spool.claim()
        try:
            send(spool, edge, notes, refusals > PATIENT_REFUSALS)
            pause, refusals = 2.0, 0
        except Later as reason:
            refusals += reason.is_busy
            if waited + pause > PATIENCE:
                log(f"{len(notes)} notes wait for the next run: {reason}")
                return LATER
            log(f"{len(notes)} notes: {reason}; again in {pause:.0f} s")
            sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 30.0)
            continue
        sleep(GATHER)  # what follows soon needs no process of its own
        notes = spool.claim()
    return 0


def main() -> int:
    config = json.loads(boot_agent.CONFIG.read_text())
    return run(Spool(Path(config["run_dir"], "purge")), Edge(config))


if __name__ == "__main__":
    sys.exit(main())

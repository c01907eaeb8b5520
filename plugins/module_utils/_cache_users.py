# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user of a Valkey or Redis cache, with the user group that ties it to the cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from . import _plan
from ._aws import tags_to_list, wait_for
from ._cache import CacheFamily

#: Marks what access string was asked for: AWS reports it in words of its own, so the two cannot be compared.
ACCESS_TAG = "wordpress_ha:access"
#: What an object cache needs: all keys, all commands except those that can harm the server, and those that empty it.
ACCESS = "on ~* +@all -@dangerous +flushdb +flushall +info"
#: Every user group holds a user of the name C(default); unless it is the one wanted, it can do nothing.
DEFAULT_USER = "default"
NO_ACCESS = "off -@all"
#: The two kinds, in the order of creation; both are removed when no user is wanted any more.
KINDS = ("user", "user_group")


def digest(access: str) -> str:
    """Return what stands in the tag for an access string; a tag cannot hold its characters."""
    return hashlib.sha256(access.encode()).hexdigest()[:16]


class CacheUsers(CacheFamily):
    """``user/<id>`` and ``user_group/<name of the cache>``, for the option C(user): unset leaves them alone, empty removes them."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        user = self.params["user"]
        if user and not re.fullmatch(r"[a-z](-?[a-z0-9])*", user):
            raise _plan.Refused(
                f"user is {user!r}: begin with a lower-case letter, go on with letters, digits and single hyphens."
            )
        if user and len(f"{self.name}-{user}") > 40:
            raise _plan.Refused(
                f"name is {self.name!r} and user is {user!r}: with the hyphen between them they make an identifier of at most "
                f"40 characters, not {len(self.name) + len(user) + 1}. Shorten one."
            )

    @property
    def group_key(self) -> str:
        return f"user_group/{self.name}"

    def _read_users(self, attached: bool) -> _plan.Tree:
        """Return our user group and the users in it; nothing is asked when neither the cache nor a parameter speaks of users."""
        if not attached and self.params["user"] is None and not self.deleting:
            return {}
        tree: _plan.Tree = {}
        groups = self._list("describe_user_groups", "UserGroups", UserGroupId=self.name)
        if not groups and not self.params["user"] and not self.deleting:
            return {}
        for group in groups:
            if group["Status"] == "deleting" or self._serves_others(group):
                return {}
            tree[self.group_key] = {
                "user_ids": sorted(group["UserIds"]),
                "arn": group["ARN"],
                "tags": self._tags(group["ARN"]),
            }
        members = tree.get(self.group_key, {}).get("user_ids", [])
        for user in self._list("describe_users", "Users"):
            if user["UserId"].startswith(f"{self.name}-") and user["Status"] != "deleting":
                tags = self._tags(user["ARN"]) or {}
                # A longer name of another cache begins alike: only members, and what a killed run marked, are ours.
                if user["UserId"] in members or (ACCESS_TAG in tags and not user["UserGroupIds"]):
                    tree[f"user/{user['UserId']}"] = {
                        "user_name": user["UserName"],
                        "enabled": user["AccessString"].split()[0] == "on",
                        "access": user["AccessString"],
                        "asked": tags.get(ACCESS_TAG),
                        "arn": user["ARN"],
                        "tags": tags,
                    }
        return tree

    def _serves_others(self, group: dict[str, Any]) -> bool:
        """Tell, when users are to go, whether a cache of another kind but the same name still uses the group."""
        others = {
            "replication_group": group.get("ServerlessCaches"),
            "serverless_cache": group.get("ReplicationGroups"),
        }
        return (self.deleting or self.params["user"] == "") and bool(others[self.kind])

    def _wanted_users(self, current: _plan.Tree, engine: str) -> _plan.Tree:
        """Return users and user group; the engine counts at creation only, as a Redis user serves Valkey as well."""
        user = self.params["user"]
        if user is None:
            return {key: {} for key in current if _plan.kind_of(key) in KINDS}
        if not user:
            return {}
        access = {DEFAULT_USER: NO_ACCESS, user: self.params["user_access"] or ACCESS}
        tree: _plan.Tree = {}
        for name, wanted in access.items():
            key = f"user/{self.name}-{name}"
            now = current.get(key, {})
            tree[key] = {
                "user_name": name,
                "enabled": wanted.split()[0] == "on",
                "access": now["access"] if now.get("asked") == digest(wanted) else wanted,
                "engine": None if now else engine,
            }
        tree[self.group_key] = {
            "user_ids": sorted(f"{self.name}-{name}" for name in access),
            "engine": None if self.group_key in current else engine,
        }
        return tree

    def _tagged(self, current: _plan.Tree, tree: _plan.Tree) -> _plan.Tree:
        tree = super()._tagged(current, tree)
        for key, fields in tree.items():
            if _plan.kind_of(key) == "user" and "access" in fields:
                now = current.get(key, {})
                mark = now["asked"] if now and fields["access"] == now["access"] else digest(fields["access"])
                tags = now.get("tags") if fields["tags"] is None else fields["tags"]
                fields["tags"] = {**(tags or {}), ACCESS_TAG: mark}
        return tree

    # Writing

    def _create_user(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        answer = self.cache.create_user(
            UserId=change.name,
            UserName=after["user_name"],
            Engine=after["engine"],
            AccessString=after["access"],
            AuthenticationMode={"Type": "password", "Passwords": [self._auth_token()]},
            Tags=tags_to_list(after["tags"]),
            aws_retry=True,
        )
        return {"arn": answer["ARN"]}

    def _update_user(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "access" in change.after:
            self._await_user(change.name)
            self.cache.modify_user(UserId=change.name, AccessString=change.after["access"], aws_retry=True)
            self._await_user(change.name)
        return self._update_tags(change, tree)

    def _delete_user(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_user(change.name)
        self.cache.delete_user(UserId=change.name, aws_retry=True)
        return {}

    def _create_user_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.cache.create_user_group(
            UserGroupId=change.name,
            Engine=change.after["engine"],
            UserIds=change.after["user_ids"],
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        self._await_user_group()
        return {"arn": answer["ARN"]}

    def _update_user_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "user_ids" in change.after:
            before, after = set(change.before["user_ids"]), set(change.after["user_ids"])
            ids = {"UserIdsToAdd": sorted(after - before), "UserIdsToRemove": sorted(before - after)}
            self._await_user_group()
            self.cache.modify_user_group(
                UserGroupId=change.name, aws_retry=True, **{name: value for name, value in ids.items() if value}
            )
            self._await_user_group()
        return self._update_tags(change, tree)

    def _delete_user_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_user_group()
        self.cache.delete_user_group(UserGroupId=change.name, aws_retry=True)
        self._wait_shortly(f"user group {change.name} to disappear", lambda: not self._groups_of_users())
        return {}

    # Waiting

    def _wait_shortly(self, what: str, probe: Callable[[], bool]) -> None:
        """Wait for what takes seconds, not minutes."""
        wait_for(self.module, what, probe, self.params["wait_timeout"], min(2.0, self.delay))

    def _groups_of_users(self) -> list[dict[str, Any]]:
        return self._list("describe_user_groups", "UserGroups", UserGroupId=self.name)

    def _await_user_group(self) -> None:
        """Wait until the group takes changes: it moves whenever a user in it, or a cache that uses it, does."""
        self._wait_shortly(
            f"user group {self.name} to be active",
            lambda: all(one["Status"] == "active" for one in self._groups_of_users()),
        )

    def _await_user(self, name: str) -> None:
        self._wait_shortly(
            f"user {name} to be active",
            lambda: all(one["Status"] == "active" for one in self._list("describe_users", "Users", UserId=name)),
        )

    # Reporting

    def _user_fact(self, tree: _plan.Tree) -> str | None:
        attached = (tree.get(self.key) or {}).get("user_group_ids")
        names = [
            fields["user_name"]
            for key, fields in tree.items()
            if attached and _plan.kind_of(key) == "user" and fields["enabled"]
        ]
        return names[0] if names else None

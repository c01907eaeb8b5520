# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ElastiCache: users that can be changed, user groups, and replication groups that have them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elasticache.exceptions import (
    ElastiCacheException,
    InvalidParameterCombinationException,
    PasswordTooShort,
    UserNotFound,
)
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from . import extension
from .patching import Function, add, wrap

#: Words of an access string for which AWS reports others.
_WORDS = {"allkeys": "~*", "allcommands": "+@all", "nocommands": "-@all", "allchannels": "&*"}


def reported(access: str) -> str:
    """Return an access string as AWS reports it: rules on commands begin with one for all of them."""
    words = [_WORDS.get(word, word) for word in access.split()]
    first = next((number for number, word in enumerate(words) if word[0] in "+-"), len(words))
    if first == len(words) or not words[first].endswith("@all"):
        words.insert(first, "-@all")
    return " ".join(words)


class UserGroup:
    """Users that are let into the caches that have the group; active from the second look on."""

    def __init__(self, backend: Any, name: str, engine: str, user_ids: list[str]) -> None:
        self.backend, self.name, self.engine, self.user_ids = backend, name, engine, user_ids
        self.status = "creating"
        self.arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:usergroup:{name}"

    def users(self) -> list[str]:
        """Return the caches that have the group."""
        groups = self.backend.replication_groups.values()
        return [group.replication_group_id for group in groups if self.name in group.user_group_ids]

    def serverless(self) -> list[str]:
        """Return the serverless caches that have the group."""
        return [one.name for one in self.backend.serverless_caches.values() if one.user_group_id == self.name]

    def described(self, look: bool = False) -> dict[str, Any]:
        status, self.status = self.status, "active" if look else self.status
        return {
            "UserGroupId": self.name,
            "Status": status,
            "Engine": self.engine,
            "UserIds": list(self.user_ids),
            "MinimumEngineVersion": "6.0",
            "PendingChanges": {},
            "ReplicationGroups": self.users(),
            "ServerlessCaches": self.serverless(),
            "ARN": self.arn,
        }


def user_group(backend: Any, name: str, active: bool = False) -> UserGroup:
    """Return a user group, or raise the API's error; also when it must be active and is not."""
    found = backend.user_groups.get((name or "").lower())
    if found is None:
        raise ElastiCacheException("UserGroupNotFound", f"User group {name} not found.")
    if active and found.status != "active":
        raise ElastiCacheException("InvalidUserGroupState", f"User group {name} is {found.status}, not active.")
    return found  # type: ignore[no-any-return]


def _check_members(backend: Any, engine: str, user_ids: list[str]) -> None:
    for name in user_ids:
        if name not in backend.users:
            raise UserNotFound(name)
    users = [backend.users[name] for name in user_ids]
    names = [user.name for user in users]
    if len(set(names)) != len(names):
        raise ElastiCacheException("DuplicateUserName", "Two users of a group have the same name.")
    if engine == "redis" and "default" not in names:
        raise ElastiCacheException("DefaultUserRequired", "A user group of Redis OSS needs a user named default.")
    if engine == "valkey" and any(user.no_password_required for user in users):
        raise InvalidParameterCombinationException("Users of a Valkey user group must authenticate.")


@extension("elasticache-users", "users cannot be changed, linger after deletion, and their access strings are echoed")
def _users() -> None:
    @wrap(ElastiCacheBackend, "create_user")
    def create(original: Function, self: Any, **kwargs: Any) -> Any:
        return original(self, **{**kwargs, "access_string": reported(kwargs["access_string"])})

    @wrap(ElastiCacheBackend, "describe_users")
    def described(original: Function, self: Any, user_id: str | None) -> Any:
        users = original(self, user_id)
        for user in users:
            user.user_group_ids = [one.name for one in self.user_groups.values() if user.id in one.user_ids]
        return users

    @add(ElastiCacheResponse)
    def modify_user(self: Any) -> ActionResult:
        backend, wanted = self.elasticache_backend, self._get_params()
        if wanted["UserId"] not in backend.users:
            raise UserNotFound(wanted["UserId"])
        user = backend.users[wanted["UserId"]]
        passwords = wanted.get("Passwords") or (wanted.get("AuthenticationMode") or {}).get("Passwords") or []
        if any(len(password) < 16 for password in passwords):
            raise PasswordTooShort
        user.passwords = passwords or user.passwords
        if wanted.get("AccessString"):
            user.access_string = reported(wanted["AccessString"])
        return ActionResult(user)

    @wrap(ElastiCacheBackend, "delete_user")
    def delete(original: Function, self: Any, user_id: str) -> Any:
        groups = [group for group in self.user_groups.values() if user_id in group.user_ids]
        if groups and user_id in self.users and self.users[user_id].name == "default":
            raise ElastiCacheException(
                "DefaultUserAssociatedToUserGroup", "The default user of a user group cannot be deleted."
            )
        user = original(self, user_id)
        for group in groups:
            group.user_ids.remove(user_id)
        self.tagging_service.delete_all_tags_for_resource(self.users.pop(user_id).arn)
        return user


@extension("elasticache-user-groups", "user groups do not exist")
def _user_groups() -> None:
    @wrap(ElastiCacheBackend, "__init__")
    def create_backend(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.user_groups = {}

    @add(ElastiCacheResponse)
    def create_user_group(self: Any) -> ActionResult:
        backend, wanted = self.elasticache_backend, self._get_params()
        name, engine = wanted["UserGroupId"].lower(), wanted["Engine"].lower()
        if name in backend.user_groups:
            raise ElastiCacheException("UserGroupAlreadyExists", f"User group {name} already exists.")
        _check_members(backend, engine, wanted.get("UserIds") or [])
        group = backend.user_groups[name] = UserGroup(backend, name, engine, wanted.get("UserIds") or [])
        backend.tagging_service.tag_resource(group.arn, wanted.get("Tags") or [])
        return ActionResult(group.described())

    @add(ElastiCacheResponse)
    def describe_user_groups(self: Any) -> ActionResult:
        backend, name = self.elasticache_backend, self._get_param("UserGroupId")
        groups = [user_group(backend, name)] if name else backend.user_groups.values()
        return ActionResult({"UserGroups": [group.described(look=True) for group in groups]})

    @add(ElastiCacheResponse)
    def modify_user_group(self: Any) -> ActionResult:
        backend, wanted = self.elasticache_backend, self._get_params()
        group = user_group(backend, wanted["UserGroupId"], active=True)
        gone = wanted.get("UserIdsToRemove") or []
        members = [one for one in group.user_ids if one not in gone] + (wanted.get("UserIdsToAdd") or [])
        _check_members(backend, group.engine, members)
        group.user_ids, group.status = members, "modifying"
        return ActionResult(group.described())

    @add(ElastiCacheResponse)
    def delete_user_group(self: Any) -> ActionResult:
        backend = self.elasticache_backend
        group = user_group(backend, self._get_param("UserGroupId"), active=True)
        if group.users() or group.serverless():
            raise ElastiCacheException("InvalidUserGroupState", f"User group {group.name} is in use.")
        backend.user_groups.pop(group.name)
        backend.tagging_service.delete_all_tags_for_resource(group.arn)
        return ActionResult({**group.described(), "Status": "deleting"})


@extension("elasticache-replication-group-users", "a replication group takes any user group, and keeps its first ones")
def _replication_group_users() -> None:
    @wrap(ElastiCacheBackend, "create_replication_group")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        names = kwargs.get("user_group_ids") or []
        if names and kwargs.get("auth_token"):
            raise InvalidParameterCombinationException("Give an auth token or user groups, not both.")
        for name in names:
            user_group(self, name, active=True)
        group = original(self, *args, **kwargs)
        _let_in(self, group)
        return group

    @wrap(ElastiCacheResponse, "modify_replication_group")
    def modify(original: Function, self: Any) -> Any:
        backend, wanted = self.elasticache_backend, self._get_params()
        for name in wanted.get("UserGroupIdsToAdd") or []:
            user_group(backend, name, active=True)
        strategy = wanted.get("AuthTokenUpdateStrategy")
        if strategy and strategy != "DELETE" and not wanted.get("AuthToken"):
            raise InvalidParameterCombinationException(f"The strategy {strategy} needs an auth token.")
        answer = original(self)
        group = backend.replication_groups[wanted["ReplicationGroupId"]]
        _take_over(backend, group, wanted)
        return answer


def _take_over(backend: Any, group: Any, wanted: dict[str, Any]) -> None:
    added = wanted.get("UserGroupIdsToAdd") or []
    gone = wanted.get("UserGroupIdsToRemove") or []
    if wanted.get("RemoveUserGroups") in (True, "true"):
        gone = list(group.user_group_ids)
    group.user_group_ids = [one for one in group.user_group_ids if one not in gone] + added
    for name in [*added, *gone]:
        backend.user_groups[name].status = "modifying"
    if wanted.get("AuthTokenUpdateStrategy") == "DELETE":
        group.auth_token, group.auth_token_enabled = None, False
    if added:
        _let_in(backend, group)


def _let_in(backend: Any, group: Any) -> None:
    """Tell the data plane the password of a user named default, the only one whom its clients can be."""
    for name in group.user_group_ids:
        for user in (backend.users[one] for one in backend.user_groups[name].user_ids):
            if user.name == "default" and user.access_string.startswith("on"):
                group.auth_token = user.passwords[0]

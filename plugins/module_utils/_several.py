# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several resource families in one module run: each reads, plans and writes as in a run of its own.

Starting a process, and loading boto3 in it, takes longer than all that a family does when nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _plan
from ._aws import Planned


@dataclass
class Common:
    """What all views of a module share."""

    clients: dict[Any, Any] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)


class View:
    """A module with other parameters.

    AWS clients are made once for all views, and ``shared`` holds what one family has read for all of them, until the next reading.
    """

    def __init__(self, module: AnsibleAWSModule, params: Mapping[str, Any], common: Common) -> None:
        self._module = module
        self._clients = common.clients
        self.shared = common.shared
        self.params = dict(params)

    def client(self, service: str, **options: Any) -> Any:
        key = (service, options.get("region"))
        if key not in self._clients:
            self._clients[key] = self._module.client(service, **options)
        return self._clients[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


Result = TypeVar("Result")


class Several(Planned):
    """Families in the order in which they are made, by the options that describe them (``secrets.blog/salts``); removed in reverse.

    Their keys must not meet in one tree. A refusal says which option it is about.
    """

    def __init__(self, module: AnsibleAWSModule, families: Mapping[str, Callable[[], Planned]], common: Common) -> None:
        super().__init__(module)
        self.common = common
        self.families = {path: _about(path, make) for path, make in families.items()}
        self.secret_fields = sorted({name for family in self.families.values() for name in family.secret_fields})
        self._trees: dict[str, _plan.Tree] = {}
        self._changes: dict[str, list[_plan.Change]] = {}

    def read(self) -> _plan.Tree:
        self.common.shared.clear()
        self._changes = {}
        self._trees = {path: _about(path, family.read) for path, family in self.families.items()}
        return _merged(self._trees)

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        paths = list(self.families)
        for path in paths[::-1] if self.params.get("state") == "absent" else paths:
            self._changes[path] = _about(path, lambda path=path: self._planned(path))  # type: ignore[misc]
        return [change for changes in self._changes.values() for change in changes]

    def _planned(self, path: str) -> list[_plan.Change]:
        family = self.families[path]
        return family.arranged(family.changes(self._trees[path]))

    def judged(self, changes: list[_plan.Change]) -> list[tuple[str, str, Mapping[str, Any]]]:
        return [
            request for path, family in self.families.items() for request in family.judged(self._changes.get(path, []))
        ]

    def apply(self, tree: _plan.Tree, changes: list[_plan.Change]) -> tuple[_plan.Tree, list[_plan.Change]]:
        made: list[_plan.Change] = []
        for path, planned in self._changes.items():
            self._trees[path], done = self.families[path].apply(self._trees[path], planned)
            made += done
        return _merged(self._trees), made

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        for path, family in self.families.items():
            self._trees[path] = family.settle(self._trees[path])
        return _merged(self._trees)

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        """Return each family's result by option and name."""
        result: dict[str, dict[str, Any]] = {}
        for path, family in self.families.items():
            option, name = path.split(".", 1)
            result.setdefault(option, {})[name] = family.facts(tree)
        return result


def _about(path: str, act: Callable[[], Result]) -> Result:
    """Do something for an option, whose path stands in front of what is refused."""
    try:
        return act()
    except _plan.Refused as error:
        raise _plan.Refused(f"{path}: {error}") from error


def _merged(trees: Mapping[str, _plan.Tree]) -> _plan.Tree:
    return {key: fields for tree in trees.values() for key, fields in tree.items()}

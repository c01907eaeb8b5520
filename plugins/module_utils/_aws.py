# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame around the plan core: one module run from parameters to ``exit_json``, and the AWS habits all modules share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from . import _plan

STACK_TAG = "wordpress_ha:stack"
ROLE_TAG = "wordpress_ha:role"

#: Codes that mean "not so fast" or "not settled yet", beyond those amazon.aws already retries.
RETRIED_CODES = ["ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"]


class Planned:
    """Base of a module's resource family: subclasses say how to read, what is wanted and how to write.

    Attributes a subclass sets: ``order`` (types, creation order), ``purge`` (types that are owned completely),
    ``immutable`` (fields AWS cannot change, by type) and ``secret_fields`` (masked in every output).
    """

    order: Sequence[str] = ()
    purge: Sequence[str] = ()
    immutable: Mapping[str, Sequence[str]] = {}
    secret_fields: Sequence[str] = ()

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params

    def read(self) -> _plan.Tree:
        """Return the current tree; only resources that exist are in it."""
        raise NotImplementedError

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        """Return the wanted tree; ``current`` is given for values that are kept once chosen."""
        raise NotImplementedError

    def handlers(self) -> Mapping[str, _plan.Handler]:
        """Return the writers by ``<action> <type>``: the methods named ``_<action>_<type>``, unless a subclass says else."""
        return {
            f"{action} {kind}": getattr(self, f"_{action}_{kind}")
            for action in (_plan.CREATE, _plan.UPDATE, _plan.DELETE)
            for kind in self.order
            if hasattr(self, f"_{action}_{kind}")
        }

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        """Return what C(state) asks for: nothing for C(gathered), for C(absent) the removal of everything that was read."""
        state = self.params.get("state", "present")
        if state == "gathered":
            return []
        if state == "absent":
            return _plan.plan(tree, {}, self.order, purge=self.order)
        return _plan.plan(tree, self.desired(tree), self.order, self.purge, self.immutable)

    def apply(self, tree: _plan.Tree, changes: list[_plan.Change]) -> tuple[_plan.Tree, list[_plan.Change]]:
        """Write a plan; return the tree that results, and the changes as they were made after all."""
        return _plan.execute(tree, changes, self.handlers()), changes

    def arranged(self, changes: list[_plan.Change]) -> list[_plan.Change]:
        """Return the changes in the order in which they are made, where the order of the types alone would open a gap."""
        return changes

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        """Wait for what this run, or an earlier one that was killed, left under way; return the tree as it then stands.

        Called for C(state=present) outside check mode, also when the plan is empty. Waiting is no change.
        """
        return tree

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        """Return the module's result for a tree; identifiers not yet known read ``_plan.UNKNOWN``."""
        raise NotImplementedError

    def client(self, service: str, region: str | None = None, retried: Sequence[str] = ()) -> Any:
        """Return a boto3 client whose calls retry on throttling, and on further ``retried`` codes, with ``aws_retry=True``."""
        codes = [*RETRIED_CODES, *retried]
        return self.module.client(
            service,
            retry_decorator=AWSRetry.jittered_backoff(retries=8, delay=1, max_delay=20, catch_extra_error_codes=codes),
            **({"region": region} if region else {}),
        )


def run(planned: Planned) -> None:
    """Read, plan, apply outside check mode, and leave through the one ``exit_json``.

    ``state`` of the module decides: ``present``, ``absent`` (everything the read found is deleted) or ``gathered`` (only facts).
    """
    module = planned.module
    state = module.params.get("state", "present")
    try:
        if not module.check_mode and not _plan.is_known(module.params):
            raise _plan.Refused(
                f"A parameter reads {_plan.UNKNOWN!r}: that stands for an identifier in check mode only."
            )
        current = planned.read()
        changes = planned.arranged(planned.changes(current))
        if module.check_mode:
            tree = _plan.applied(current, changes)
        else:
            tree, changes = planned.apply(current, changes)
            if state == "present":
                tree = planned.settle(tree)
    except _plan.Refused as error:
        module.fail_json(msg=str(error))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json_aws(error, msg=f"{module._name.rsplit('.', 1)[-1]}: AWS refused or did not answer")
    module.exit_json(
        changed=bool(changes),
        diff=_plan.diff(changes, planned.secret_fields),
        actions=[change.summary(planned.secret_fields) for change in changes],
        **planned.facts(tree),
    )


def main(module: AnsibleAWSModule, family: Callable[[AnsibleAWSModule], Planned]) -> None:
    """Build a module's resource family, whose constructor may refuse parameters, and run it."""
    try:
        planned = family(module)
    except _plan.Refused as error:
        module.fail_json(msg=str(error))
    run(planned)


def checked_items(
    option: str, items: Mapping[str, Any] | None, spec: Mapping[str, Any], **rules: Any
) -> dict[str, dict[str, Any]]:
    """Validate a dict of dicts, which an argument spec cannot describe, and fill in each item's defaults.

    :param spec: the argument spec of one item; ``rules`` are those of ``AnsibleModule`` (``mutually_exclusive`` ...).
    :raises _plan.Refused: names the option, the item and what is wrong with it.
    """
    validator = ArgumentSpecValidator(dict(spec), **rules)
    result = {}
    for name, item in (items or {}).items():
        if item is not None and not isinstance(item, Mapping):
            raise _plan.Refused(f"{option}.{name} is {item!r}: give a dictionary with {', '.join(sorted(spec))}.")
        checked = validator.validate(dict(item or {}))
        if checked.error_messages:
            raise _plan.Refused(f"{option}.{name}: {'; '.join(checked.error_messages)}")
        result[name] = checked.validated_parameters
    return result


def tags_to_dict(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Convert AWS's list of Key/Value pairs to a dict, without the tags AWS itself reserves (``aws:``)."""
    return {tag["Key"]: tag["Value"] for tag in tags or [] if not tag["Key"].startswith("aws:")}


def tags_to_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Convert a dict of tags to AWS's list of Key/Value pairs, sorted by key."""
    return [{"Key": key, "Value": str(value)} for key, value in sorted((tags or {}).items())]


def merged_tags(
    current: Mapping[str, str] | None, wanted: Mapping[str, str] | None, purge: bool
) -> dict[str, str] | None:
    """Return the tags a resource should end with: None leaves them alone; without purge foreign tags stay."""
    if wanted is None:
        return None
    return dict(wanted) if purge else {**(current or {}), **wanted}


def wait_for(
    module: AnsibleAWSModule, what: str, probe: Callable[[], bool], timeout: float, delay: float = 2.0
) -> None:
    """Poll until ``probe`` is true; after ``timeout`` seconds fail with what was awaited and for how long."""
    deadline = time.monotonic() + timeout
    while not probe():
        if time.monotonic() >= deadline:
            module.fail_json(msg=f"Waited {timeout:g} s for {what}, in vain. Raise wait_timeout if this is only slow.")
        time.sleep(delay)

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame around the plan core: one module run from parameters to ``exit_json``, and the AWS habits all modules share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _guard, _plan, _retries

STACK_TAG = "wordpress_ha:stack"
ROLE_TAG = "wordpress_ha:role"

#: How often in a row a plan is made that gets no smaller, because nobody knows whether a write took effect; seconds AWS gets to show it.
REPLANS, SHOWN_AFTER = 5, 3.0


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

    def judged(self, changes: list[_plan.Change]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
        """Return the requests of a plan that the security rules judge before the first write, as (service, operation, parameters).

        Every request is judged when it is sent; what depends on a user's words belongs here too, so that check mode says it.
        """
        return ()

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        """Return the module's result for a tree; identifiers not yet known read ``_plan.UNKNOWN``."""
        raise NotImplementedError

    def client(self, service: str, region: str | None = None, retried: Sequence[str] = ()) -> Any:
        """Return a boto3 client that makes failed calls again (``_retries``), with ``aws_retry=True`` on ``retried`` codes too."""
        return connect(self.module, service, region, retried)


def connect(module: AnsibleAWSModule, service: str, region: str | None = None, retried: Sequence[str] = ()) -> Any:
    """Return a boto3 client that makes failed calls again and sends nothing that the security rules refuse."""
    client = module.client(
        service, retry_decorator=_retries.decorator(retried), **({"region": region} if region else {})
    )
    _retries.install(client)
    client.meta.events.register("provide-client-params", _refuse_request, unique_id="wordpress_ha-guard")
    return client


def refuse_harmful(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Raise ``Refused`` with everything that the security rules (``_guard``) find wrong with a request."""
    found = _guard.findings(service, operation, params)
    if found:
        raise _plan.Refused(" ".join(f"{finding}." for finding in found))


def _refuse_request(params: Mapping[str, Any], model: Any, **_context: Any) -> None:
    """Judge a request of a client before it is sent; botocore calls this for each."""
    refuse_harmful(model.service_model.service_name, model.name, params)


def run(planned: Planned) -> None:
    """Read, plan, apply outside check mode, and leave through the one ``exit_json``.

    ``state`` of the module decides: ``present``, ``absent`` (everything the read found is deleted) or ``gathered`` (only facts).
    """
    module = planned.module
    try:
        if not module.check_mode and not _plan.is_known(module.params):
            raise _plan.Refused(
                f"A parameter reads {_plan.UNKNOWN!r}: that stands for an identifier in check mode only."
            )
        tree, changes = _carried_out(planned)
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


def _carried_out(planned: Planned) -> tuple[_plan.Tree, list[_plan.Change]]:
    """Make true what is wanted; return the tree that results and what was changed, in check mode what would be.

    Where a write may have taken effect or not, the account is read and planned anew, as the next run does after a kill: a few
    times at most while the plan gets no smaller. What is reported is then the first plan, which was what this run had to do.
    """
    first: list[_plan.Change] | None = None
    smallest, tries = 0, 0
    while True:
        current = planned.read()
        changes = planned.arranged(planned.changes(current))
        for request in planned.judged(changes):
            refuse_harmful(*request)
        if planned.module.check_mode:
            return _plan.applied(current, changes), changes
        size = sum(1 + len(change.after) for change in changes)
        tries = tries + 1 if first is not None and size >= smallest else 1
        smallest = size
        try:
            tree, made = planned.apply(current, changes)
            if planned.params.get("state", "present") == "present":
                tree = planned.settle(tree)
            return tree, made if first is None else first
        except _retries.Unanswered as lost:
            if tries >= REPLANS:
                raise lost.error from lost
        first = changes if first is None else first
        time.sleep(SHOWN_AFTER)


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

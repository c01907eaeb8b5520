# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of the modules that change one distribution: read once, plan on the whole configuration, lint, write once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .. import _aws, _plan
from . import api, current, desired, lint, plan, waiters
from .model import Normal, Refusal, Wire, items, option_path
from .named import findings, while_current
from .plan import Difference, Plan

#: The rule about settings that botocore drops, which the lint, given what botocore returns, cannot see.
STRANGE_RULE = "unknown-to-botocore"
#: Options of every module that changes a distribution.
FRAME_SPEC: dict[str, Any] = {
    "lint_ignore": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 1800},
    "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
}


def planned(*arguments: Any, **options: Any) -> Plan:
    """Plan; what the pure core refuses is refused by the module."""
    made: Plan = _refusing(plan.plan, *arguments, **options)
    return made


def _refusing(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call one of the pure functions and pass on what it refuses as a refusal of the module."""
    try:
        return call(*arguments, **options)
    except Refusal as error:
        raise _plan.Refused(str(error)) from error


class Distributed(_aws.Planned):
    """One distribution, whose configuration AWS takes only as a whole and only against the ETag of what was read."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.api = api.watched(self.client("cloudfront", region=api.REGION))
        self.names = api.Names(module, self.api)
        self.label = ""  # what the distribution is called in differences
        self.id: str | None = None
        self.etag: str | None = None
        self.config: Wire | None = None
        self.status: str | None = None
        self.strange: list[str] = []  # settings that botocore cannot send back
        self.after: Wire | None = None  # the configuration that results
        self.request: dict[str, Any] | None = None
        self.wanted: Normal = {}
        for index, rule in enumerate(self.params["lint_ignore"]):
            if rule not in (*lint.RULES, STRANGE_RULE):
                raise _plan.Refused(
                    f"lint_ignore[{index}] is {rule!r}, which is no rule: give the name in brackets at the end of a message."
                )

    # What a subclass says

    def fetch(self) -> bool:
        """Read the distribution of ``self.id`` anew; False if it is gone."""
        raise NotImplementedError

    def planned(self) -> Plan:
        """Plan from what was read last to what is wanted."""
        raise NotImplementedError

    def context(self, after: Wire) -> lint.Context:
        """Return what the lint is told about the surroundings of a configuration."""
        used = {kind: _policies_of(after, wire) for kind, wire in _POLICY_FIELDS.items()}
        policies = {kind: self.names.known(kind, ids) for kind, ids in used.items()}
        return lint.Context(
            cache_policies=policies["cache_policy"],
            origin_request_policies=policies["origin_request_policy"],
            response_headers_policies=policies["response_headers_policy"],
            **self.surroundings(after),
        )

    def surroundings(self, _after: Wire) -> dict[str, Any]:
        """Return what a subclass adds to the lint's context."""
        return {}

    # Planning

    def tagging(self) -> Any:
        """Return a client of the tagging API, which knows CloudFront's resources in one region."""
        return self.client("resourcegroupstaggingapi", region=api.REGION)

    def wish(self, options: dict[str, Any]) -> Normal:
        """Return what options ask for, names looked up."""
        return dict(_refusing(desired.wanted, options, self.names.resolve))

    def changes_of(self, made: Plan) -> list[_plan.Change]:
        """Return a plan's differences as changes, its request and result kept; the lint has its say on what is written."""
        self.after = made.after
        if made.empty:
            self.request = None
            return []
        self.keep_strange()
        self.judge(made)
        self.request = {"Id": self.id, "IfMatch": self.etag, "DistributionConfig": made.after}
        return [self._told(difference) for difference in made.differences]

    def _told(self, difference: Difference) -> _plan.Change:
        """Convert a difference, which the pure core made, to the plan core's change, with names of policies beside ids."""
        before, after = (
            {option: self.names.told(option, value) for option, value in side.items()}
            for side in (difference.before, difference.after)
        )
        return _plan.Change(difference.action, difference.key, before, after)

    def keep_strange(self) -> None:
        """Refuse to write a configuration of which botocore dropped a part."""
        if not self.strange:
            return
        text = (
            f"Distribution {self.id} has {', '.join(self.strange)}, which the botocore installed here does not know: AWS takes "
            f"a configuration only as a whole, and writing it removes that. Install a newer botocore. [{STRANGE_RULE}]"
        )
        if STRANGE_RULE not in self.params["lint_ignore"]:
            raise _plan.Refused(text)
        self.module.warn(text)

    def judge(self, made: Plan) -> None:
        """Refuse what the lint finds, all in one message; what is ignored, or was there before, becomes a warning."""
        context = self.context(made.after)
        before = lint.distribution(made.before, context) if made.before is not None else []
        findings(self.module, lint.distribution(made.after, context), self.params["lint_ignore"], option_path, before)

    # Writing

    def update(self, changes: list[_plan.Change]) -> list[_plan.Change]:
        """Write the planned configuration, planned anew where somebody else wrote since; return the changes as made."""
        made = list(changes)

        def send() -> None:
            self.keep(self.api.update_distribution(**(self.request or {}), aws_retry=True))

        def again() -> bool:
            if not self.fetch():
                raise _plan.Refused(f"Distribution {self.id} was removed while this run changed it. Run again.")
            sent = self.request
            anew = self.changes_of(self.planned())
            if not anew:
                # As wanted by now: most likely this run's own write, whose answer was lost.
                self.request = sent
                return False
            made[:] = anew
            return True

        if self.request is not None:
            while_current(f"distribution {self.id}", send, again)
        return made

    def keep(self, answer: dict[str, Any]) -> None:
        """Remember what an answer says of the distribution."""
        found = answer["Distribution"]
        self.id, self.etag, self.status = found["Id"], answer["ETag"], found["Status"]
        self.strange = answer.get(api.STRANGE, [])
        self.config = self.after = found["DistributionConfig"]

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        if self.params["wait"] and self.id and self.status != waiters.DEPLOYED:
            found = waiters.deployed(self.module, self.api, self.id, self.params["wait_timeout"])
            if found:
                self.keep(found)
        return tree

    # Reporting

    def shown(self) -> dict[str, Any]:
        """Return the facts about the write that every module has."""
        etag = _plan.UNKNOWN if self.module.check_mode and self.request else self.etag
        return {"etag": etag, "request": current.masked_wire(self.request)}

    def unread(self, wanted: Normal) -> list[_plan.Change]:
        """Predict what is asked of a distribution that only exists after the play: nothing can be compared yet."""
        said = {**wanted, **({"origins": sorted(wanted["origins"])} if "origins" in wanted else {})}
        return [_plan.Change(_plan.UPDATE, f"distribution/{self.label}", {}, said)]


_POLICY_FIELDS = {
    "cache_policy": "CachePolicyId",
    "origin_request_policy": "OriginRequestPolicyId",
    "response_headers_policy": "ResponseHeadersPolicyId",
}


def _policies_of(config: Wire, name: str) -> set[str]:
    """Return the ids of one kind of policy that a configuration's behaviors refer to."""
    behaviors = [config.get("DefaultCacheBehavior") or {}, *items(config.get("CacheBehaviors"))]
    return {behavior[name] for behavior in behaviors if behavior.get(name)}

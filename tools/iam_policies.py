# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the policy of who runs a playbook from the AWS calls that the playbook was seen to make.

    python tools/iam_policies.py                              # writes docs/iam/*.json and docs/iam.md
    python tools/iam_policies.py --check                      # says what would change, and fails if anything does
    python tools/iam_policies.py --policy provision --stack blog --region eu-central-1 --account 123456789012 --domain blog.example.org

``docs/iam/calls.json`` holds the calls, by playbook: the tests of the plays compare it with what they record, and add to it with
``WORDPRESS_HA_LEARN=1``. ``tools/iam_actions.yml`` says what a call needs of IAM.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parent.parent
DATA = CHECKOUT / "tools" / "iam_actions.yml"
CALLS = CHECKOUT / "docs" / "iam" / "calls.json"
PAGE = CHECKOUT / "docs" / "iam.md"
#: What stands in the committed documents for what differs from stack to stack.
PLACEHOLDERS = ("STACK", "REGION", "ACCOUNT", "DOMAIN")
EVERY = "*"
LONGEST = 6144  # characters of a managed policy

#: Calls by playbook: which were made, and which parameters that matter some of them had.
Seen = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, order=True)
class Need:
    """One action on one resource under one condition; ``why`` is the reason where the resource is every one."""

    resource: str
    condition: str
    action: str
    why: str = ""


class Rules:
    """``iam_actions.yml``, ready to be asked."""

    def __init__(self, path: Path = DATA) -> None:
        self.data = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.services: dict[str, Any] = self.data["services"]
        self._grants: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for service, rules in self.services.items():
            for grant in rules["grants"]:
                for operation in grant["operations"]:
                    self._grants[f"{service}:{operation}"].append((service, grant))

    def known(self, call: str) -> bool:
        """Tell whether it is known what a call (``ec2:CreateVpc``) needs."""
        service, operation = call.split(":")
        return call in self._grants or operation in self.services.get(service, {}).get("free", ())

    def calls(self) -> list[str]:
        return sorted(self._grants)

    def given(self, call: str) -> set[str]:
        """Return the parameters of a call on which it depends what it needs."""
        return {grant["given"] for _service, grant in self._grants[call] if "given" in grant}

    def arn(self, service: str, resource: str) -> str:
        """Return the pattern of a resource: ``vpc``, or ``ec2.vpc`` from another service."""
        if "." in resource:
            service, resource = resource.split(".")
        found = self.services[service]["resources"][resource]
        return str(found["arn"].replace("{name}", found.get("name", "")))

    def needs(self, call: str, having: Iterable[str] = ()) -> Iterator[Need]:
        """Yield what a call needs that has the given parameters."""
        for service, grant in self._grants[call]:
            if "given" in grant and grant["given"] not in having:
                continue
            prefix, condition = self.services[service]["prefix"], grant.get("if", "")
            actions = grant.get("actions") or [call.split(":")[1]]
            listed = grant["to"] if isinstance(grant["to"], list) else [grant["to"]]
            for action in (one if ":" in one else f"{prefix}:{one}" for one in actions):
                for resource in listed:
                    arn = EVERY if resource == EVERY else self.arn(service, resource)
                    yield Need(arn, condition, action, grant.get("why", ""))

    def statements(self, seen: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        """Return the statements that allow the calls and nothing else."""
        # An action works on resources of its own kinds alone: those of a service under one condition share a statement.
        together: dict[tuple[str, str, bool], list[Need]] = defaultdict(list)
        for need in {need for call, having in seen.items() for need in self.needs(call, having)}:
            prefix = "" if need.resource == EVERY and not need.condition else need.action.split(":")[0]
            together[prefix, need.condition, need.resource == EVERY].append(need)
        made = []
        for (_prefix, condition, _every), needs in sorted(together.items()):
            arns = sorted({need.resource for need in needs})
            made.append(
                {
                    "Effect": "Allow",
                    "Action": sorted({need.action for need in needs}),
                    "Resource": arns if len(arns) > 1 else arns[0],
                    **({"Condition": self.data["conditions"][condition]} if condition else {}),
                }
            )
        return made

    def wide(self, seen: Mapping[str, list[str]]) -> dict[str, str]:
        """Return the actions that are allowed on everything, and why."""
        return {
            need.action: need.why for call in seen for need in self.needs(call, seen[call]) if need.resource == EVERY
        }

    def strays(self, call: str, params: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
        """Return what in a recorded call is named as no pattern of its resources allows."""
        service = call.split(":", maxsplit=1)[0]
        grants = [grant for owner, grant in self._grants[call] if owner == service and "actions" not in grant]
        found = []
        for resource in {one for grant in grants for one in _listed(grant["to"]) if one != EVERY and "." not in one}:
            rule = self.services[service]["resources"][resource]
            pattern = filled(rule.get("name", EVERY), values)
            for name in (params.get(by) for by in rule.get("by", ())):
                if isinstance(name, str) and not _named(name, pattern, resource):
                    found.append(f"{call}: {resource} {name!r} is no {pattern!r}")
        return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _named(name: str, pattern: str, resource: str) -> bool:
    """Tell whether a pattern covers a name; an ARN stands for its last part."""
    short = name.split(":", 5)[-1] if name.startswith("arn:") else name
    return fnmatch.fnmatchcase(short, pattern) or fnmatch.fnmatchcase(short, f"{resource}:{pattern}")


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """Return a text, or all texts in a document, with the placeholders replaced."""
    if isinstance(value, str):
        for placeholder, text in values.items():
            value = value.replace(placeholder, text)
        return value
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    if isinstance(value, dict):
        return {filled(key, values): filled(item, values) for key, item in value.items()}
    return value


def at(params: Any, path: str) -> Any:
    """Return what a dotted path names in the parameters of a call; None if it is not there."""
    for part in path.split("."):
        params = params.get(part) if isinstance(params, Mapping) else None
    return params


def reduced(calls: Iterable[Mapping[str, Any]], rules: Rules) -> dict[str, list[str]]:
    """Return the calls of a run without their values: by name, with the parameters that matter for IAM."""
    seen: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        name = f"{call['service']}:{call['operation']}"
        # An empty value asks for nothing; false is one that was chosen.
        seen[name] |= {path for path in rules.given(name) if at(call["params"], path) not in (None, "", [], {}, False)}
    return {name: sorted(having) for name, having in sorted(seen.items())}


def merged(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the calls of two runs together."""
    return {name: sorted({*one.get(name, ()), *other.get(name, ())}) for name in sorted({*one, *other})}


def load(path: Path = CALLS) -> Seen:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def save(seen: Seen, path: Path = CALLS) -> None:
    path.write_text(json.dumps(dict(sorted(seen.items())), indent=1) + "\n", encoding="utf-8")


def complete(rules: Rules, seen: Seen) -> Seen:
    """Return the calls with those that no run shows."""
    return {name: merged(calls, rules.data["beyond"].get(name, {})) for name, calls in seen.items()}


def policy(rules: Rules, seen: Mapping[str, list[str]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": rules.statements(seen)}


def parts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a policy in as many as it takes for each to fit into a managed policy."""
    found: list[dict[str, Any]] = []
    for statement in sorted(document["Statement"], key=lambda one: -size(one)):
        place = next((one for one in found if size(one) + size(statement) < LONGEST), None)
        if place is None:
            place = {"Version": document["Version"], "Statement": []}
            found.append(place)
        place["Statement"].append(statement)
    return found


def size(document: Any) -> int:
    """Return the characters that AWS counts: all but white space."""
    return len(json.dumps(document, separators=(",", ":")))


def documents(rules: Rules, seen: Seen) -> dict[Path, str]:
    """Return every file that is generated, with its text."""
    seen = complete(rules, seen)
    made = {
        CALLS.with_name(f"{name}.json"): json.dumps(policy(rules, calls), indent=2) + "\n"
        for name, calls in seen.items()
    }
    return {**made, PAGE: _page(rules, seen)}


def _page(rules: Rules, seen: Seen) -> str:
    head = (CHECKOUT / "tools" / "iam_page.md").read_text(encoding="utf-8")
    rows = ["| who runs | AWS calls | actions | characters | parts | policy |", "|---|---|---|---|---|---|"]
    for name, calls in seen.items():
        document = policy(rules, calls)
        actions = {action for said in document["Statement"] for action in said["Action"]}
        what = f"`{name.removesuffix('-check')}.yml --check`" if name.endswith("-check") else f"`{name}.yml`"
        rows.append(
            f"| {what} | {len(calls)} | {len(actions)} | {size(document)} | {len(parts(document))} "
            f"| [iam/{name}.json](iam/{name}.json) |"
        )
    wide: dict[str, list[str]] = defaultdict(list)
    every = {action: why for calls in seen.values() for action, why in rules.wide(calls).items()}
    for action, why in sorted(every.items()):
        wide[why].append(f"`{action}`")
    reasons = ["| why nothing narrower | actions |", "|---|---|"]
    reasons += [f"| {why} | {', '.join(actions)} |" for why, actions in sorted(wide.items())]
    return head.replace("<!-- playbooks -->", "\n".join(rows)).replace("<!-- wide -->", "\n".join(reasons))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail if something would change")
    parser.add_argument("--policy", help="print the policy of one playbook instead")
    for name in PLACEHOLDERS:
        parser.add_argument(f"--{name.lower()}", default=name, help=f"what stands for {name} in the printed policy")
    parser.add_argument("--part", type=int, help="of a policy that is too long for one, this part alone: 1, 2 ...")
    parser.add_argument("--partition", default="aws", help="aws, aws-cn or aws-us-gov")
    arguments = parser.parse_args(argv)
    rules = Rules()
    seen = load()
    if arguments.policy:
        if arguments.policy not in seen:
            parser.error(f"--policy is {arguments.policy!r}: give one of {', '.join(seen)}")
        values = {name: getattr(arguments, name.lower()) for name in PLACEHOLDERS}
        values["arn:aws:"] = f"arn:{arguments.partition}:"
        document = policy(rules, complete(rules, seen)[arguments.policy])
        if arguments.part is not None:
            every = parts(document)
            if not 1 <= arguments.part <= len(every):
                parser.error(f"--part is {arguments.part}: give 1 to {len(every)}")
            document = every[arguments.part - 1]
        print(json.dumps(filled(document, values), indent=2))
        return 0
    stale = [
        path
        for path, text in documents(rules, seen).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(CHECKOUT)} {'is not what the calls ask for' if arguments.check else 'written'}")
        if not arguments.check:
            path.write_text(documents(rules, seen)[path], encoding="utf-8")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module vpc_security_groups, which vpc_network manages too, in the same process."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _aws, _owned, _plan
from ._network import ENDPOINT_GROUP, NETWORK_TAG, PART_TAG

SHORT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
DESCRIPTION = re.compile(r"[A-Za-z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
GROUP_SPEC = {
    "description": {"type": "str"},
    "ingress": {"type": "list", "elements": "dict"},
    "egress": {"type": "list", "elements": "dict"},
}
WORDS = {"ingress": ("source", "from"), "egress": ("destination", "to")}
PEERS = {
    "IpRanges": ("CidrIp", "cidr"),
    "Ipv6Ranges": ("CidrIpv6", "cidr"),
    "UserIdGroupPairs": ("GroupId", "group"),
    "PrefixListIds": ("PrefixListId", "prefix_list"),
}
PORTLESS = ("all", "icmp", "icmpv6")
DEFAULT_EGRESS = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
DEFAULT_EGRESS_IPV6 = {**DEFAULT_EGRESS, "IpRanges": [], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}


def rule_text(direction: str, protocol: str, ports: tuple[int, int], peer: str) -> str:
    """Say a rule in words; two rules of a group are the same to AWS exactly if their texts are the same."""
    first, last = ports
    span = "" if first == -1 else f" {first}" if first == last else f" {first}-{last}"
    return f"{direction} {protocol}{span} {WORDS[direction][1]} {peer}"


class SecurityGroups(_aws.Planned):
    """``group/<short name>``, and ``rule/<short name> <text>`` for the directions that are owned."""

    order = ("group", "rule")
    purge = ("group", "rule")
    immutable = {"group": ("description",)}

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        if self.params["groups"] is None and self.params["state"] == "present":
            raise _plan.Refused("groups is null: give a dictionary of security groups.")
        self.groups = _aws.checked_items("groups", self.params["groups"], GROUP_SPEC)
        self.rules: dict[str, dict[str, Any]] = {}
        for group, item in self.groups.items():
            if group == ENDPOINT_GROUP:
                raise _plan.Refused(
                    f"groups has the name {group!r}, which the network's endpoints have: choose another one."
                )
            if not SHORT_NAME.fullmatch(group):
                raise _plan.Refused(
                    f"groups has the name {group!r}: use lower-case letters, digits, dashes and underscores."
                )
            _check_description(f"groups.{group}.description", item["description"])
            for direction in WORDS:
                for index, rule in enumerate(item[direction] or []):
                    self._add_rule(group, direction, f"groups.{group}.{direction}[{index}]", rule)
        self.ids: dict[str, str] = {}  # our groups' ids to their short names
        self.prefix_lists: dict[str, str] = {}  # names of prefix lists to their ids
        self.found: dict[str, tuple[str, dict[str, Any]]] = {}  # rules to their group's id and AWS's form of the rule
        self.seen: list[dict[str, Any]] = []  # all groups of the VPC, as AWS describes them
        self.named_elsewhere: set[str] = set()  # ids of groups that rules of groups outside of the family name
        self.api = self.client("ec2")

    def _add_rule(self, group: str, direction: str, where: str, rule: dict[str, Any]) -> None:
        checked = _checked_rule(where, direction, rule)
        peer = checked["peer"]
        if (
            checked["kind"] == "group"
            and not peer.startswith("sg-")
            and _plan.is_known(peer)
            and peer not in self.groups
        ):
            raise _plan.Refused(
                f"{where} names the group {peer!r}, which is not in groups ({', '.join(sorted(self.groups))}): "
                "correct it, or give the id of a group of somebody else (sg-...)."
            )
        key = (
            f"rule/{group} {rule_text(direction, checked['protocol'], checked['ports'], _said(checked['kind'], peer))}"
        )
        if key in self.rules:
            raise _plan.Refused(f"{where} says {_plan.name_of(key)!r} a second time: leave one of the two out.")
        self.rules[key] = {**checked, "group": group, "direction": direction}

    def _find_prefix_lists(self) -> None:
        """Find the prefix lists that rules or C(prefix_lists) name, so that a plan says their names and a call their ids."""
        wanted = {
            rule["peer"]: f"The rule {_plan.name_of(key)!r} names"
            for key, rule in self.rules.items()
            if rule["kind"] == "prefix_list" and not rule["peer"].startswith("pl-") and _plan.is_known(rule["peer"])
        }
        wanted.update((name, "prefix_lists names") for name in self.params["prefix_lists"] if name not in wanted)
        if not wanted:
            return
        asked = [{"Name": "prefix-list-name", "Values": sorted(wanted)}]
        found = _owned.listed(self.api, "describe_managed_prefix_lists", "PrefixLists", Filters=asked)
        self.prefix_lists = {one["PrefixListName"]: one["PrefixListId"] for one in found}
        for name, where in wanted.items():
            if name not in self.prefix_lists:
                raise _plan.Refused(
                    f"{where} the prefix list {name!r}, which this account does not have here: correct it, or give its id (pl-...)."
                )
        self.ids.update({number: name for name, number in self.prefix_lists.items()})

    def _cidrs(self, prefix_list: str) -> list[str]:
        entries = _owned.listed(self.api, "get_managed_prefix_list_entries", "Entries", PrefixListId=prefix_list)
        return sorted(entry["Cidr"] for entry in entries)

    def read(self) -> _plan.Tree:
        self._find_prefix_lists()
        if not _plan.is_known(self.params["vpc_id"] or ""):
            return {}
        tree: _plan.Tree = {}
        ours = {}
        self.seen = self._groups_of_vpc()
        for found in self.seen:
            tags = _aws.tags_to_dict(found.get("Tags"))
            if tags.get(NETWORK_TAG) != self.params["name"] or tags.get(PART_TAG) in (None, ENDPOINT_GROUP):
                self._refuse_namesake(found)
                self.named_elsewhere.update(_named(found))
                continue
            whose = f"The security group {found['GroupName']} ({found['GroupId']})"
            _owned.refuse_foreign(whose, tags, self.params["tags"], self.params["state"] == "absent")
            group = tags[PART_TAG]
            ours[group] = found
            self.ids[found["GroupId"]] = group
            tree[f"group/{group}"] = {"group_id": found["GroupId"], "description": found["Description"], "tags": tags}
        for group, found in ours.items():
            tree.update(self._read_rules(group, found))
        return tree

    def _groups_of_vpc(self) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while not page or page.get("NextToken"):
            token = {"NextToken": page["NextToken"]} if page else {}
            by_tag = {"Name": f"tag:{NETWORK_TAG}", "Values": [self.params["name"]]}
            asked = [{"Name": "vpc-id", "Values": [self.params["vpc_id"]]} if self.params["vpc_id"] else by_tag]
            page = self.api.describe_security_groups(Filters=asked, aws_retry=True, **token)
            result += page["SecurityGroups"]
        return result

    def _refuse_namesake(self, found: dict[str, Any]) -> None:
        if found["GroupName"] in {f"{self.params['name']}-{group}" for group in self.groups}:
            raise _plan.Refused(
                f"The VPC has a security group {found['GroupName']} ({found['GroupId']}) without our tag {NETWORK_TAG}: "
                "it is left alone. Choose another name, or remove the group yourself."
            )

    def _read_rules(self, group: str, found: dict[str, Any]) -> _plan.Tree:
        """Return the rules of the directions that are owned, and remember how to name them to AWS."""
        tree: _plan.Tree = {}
        for direction, item in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            doomed = self.params["state"] == "absent" or (self.params["purge_groups"] and group not in self.groups)
            if self.groups.get(group, {}).get(direction) is None and not doomed:
                continue
            for permission in found[item]:
                protocol = "all" if permission["IpProtocol"] == "-1" else permission["IpProtocol"]
                ports = (permission.get("FromPort", -1), permission.get("ToPort", -1))
                for peers, peer, text in self._peers(permission):
                    key = f"rule/{group} {rule_text(direction, protocol, ports, text)}"
                    tree[key] = {"description": peer.get("Description", "")}
                    alone = {
                        name: permission[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in permission
                    }
                    self.found[key] = (found["GroupId"], {**alone, peers: [peer]})
        return tree

    def _peers(self, permission: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield each peer of a permission: the list it is in, how AWS identifies it, and how we say it."""
        for peers, (name, kind) in PEERS.items():
            for found in permission.get(peers, []):
                peer = {key: found[key] for key in (name, "UserId", "Description") if found.get(key)}
                yield peers, peer, _said(kind, self.ids.get(found[name], found[name]))

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        tree: _plan.Tree = {}
        for group, item in self.groups.items():
            name = f"{self.params['name']}-{group}"
            identity = {NETWORK_TAG: self.params["name"], PART_TAG: group}
            now = current.get(f"group/{group}", {}).get("tags")
            tags = _owned.wanted_tags(name, now, {**(self.params["tags"] or {}), **identity}, self.params["purge_tags"])
            tree[f"group/{group}"] = {"description": item["description"], "tags": tags}
        for key, rule in self._named_rules().items():
            tree[key] = {"description": rule["description"]}
        return {**tree, **self._kept(current)}

    def judged(self, changes: list[_plan.Change]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield what lets address ranges in: a rule for the whole world is refused before the first group is made."""
        rules = self._named_rules()
        for change in changes:
            rule = rules.get(change.key, {})
            if change.action == _plan.CREATE and rule.get("kind") == "cidr" and rule["direction"] == "ingress":
                yield (
                    "ec2",
                    "AuthorizeSecurityGroupIngress",
                    {"IpPermissions": [_permission_of(rule, rule["peer"], None)]},
                )

    def _kept(self, current: _plan.Tree) -> _plan.Tree:
        """Return the groups that are not mentioned and stay all the same, as they are."""
        rest = {
            fields["group_id"]: key
            for key, fields in current.items()
            if _plan.kind_of(key) == "group" and _plan.name_of(key) not in self.groups
        }
        used = set(rest)
        if rest and self.params["purge_groups"]:
            asked = [{"Name": "group-id", "Values": sorted(rest)}]
            found = _owned.listed(self.api, "describe_network_interfaces", "NetworkInterfaces", Filters=asked)
            used = {one["GroupId"] for interface in found for one in interface["Groups"]} | self.named_elsewhere
        return {key: {} for group_id, key in rest.items() if group_id in used}

    def _named_rules(self) -> dict[str, dict[str, Any]]:
        """Return the wanted rules with ids of our own groups said as their names, as the rules read are."""
        named = {}
        for rule in self.rules.values():
            peer = _said(rule["kind"], self.ids.get(rule["peer"], rule["peer"]))
            named[f"rule/{rule['group']} {rule_text(rule['direction'], rule['protocol'], rule['ports'], peer)}"] = rule
        return named

    def handlers(self) -> dict[str, _plan.Handler]:
        self.rules = self._named_rules()
        return {
            "create group": self._create_group,
            "update group": self._update_group,
            "delete group": self._delete_group,
            "create rule": self._create_rule,
            "update rule": self._update_rule,
            "delete rule": self._delete_rule,
        }

    def _create_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_security_group(
            GroupName=f"{self.params['name']}-{change.name}",
            Description=change.after.get("description") or change.name,
            VpcId=self.params["vpc_id"],
            TagSpecifications=[{"ResourceType": "security-group", "Tags": _aws.tags_to_list(change.after["tags"])}],
            aws_retry=True,
        )
        if self.groups[change.name]["egress"] is not None:
            # AWS adds it to every new group. Where it is wanted, its own step of the plan adds it with its description.
            rules = [DEFAULT_EGRESS, *([DEFAULT_EGRESS_IPV6] if self.params["ipv6"] else [])]
            self.api.revoke_security_group_egress(GroupId=made["GroupId"], IpPermissions=rules, aws_retry=True)
        return {"group_id": made["GroupId"]}

    def _update_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        group_id = tree[change.key]["group_id"]
        setting, removing = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if setting:
            self.api.create_tags(Resources=[group_id], Tags=_aws.tags_to_list(setting), aws_retry=True)
        if removing:
            self.api.delete_tags(Resources=[group_id], Tags=[{"Key": key} for key in removing], aws_retry=True)
        return {}

    def _delete_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def gone() -> bool:
            try:
                self.api.delete_security_group(GroupId=change.before["group_id"], aws_retry=True)
            except is_boto3_error_code("DependencyViolation"):
                # The network interfaces of a deleted balancer or mount target linger for minutes.
                return False
            except is_boto3_error_code("InvalidGroup.NotFound"):
                pass
            return True

        what = f"the security group {change.name} to be out of use"
        _aws.wait_for(self.module, what, gone, self.params["wait_timeout"], delay=5)
        return {}

    def _permission(self, key: str, tree: _plan.Tree, description: str | None) -> dict[str, Any]:
        rule = self.rules[key]
        peer = rule["peer"]
        if rule["kind"] == "group" and not peer.startswith("sg-"):
            peer = tree[f"group/{peer}"]["group_id"]
        if rule["kind"] == "prefix_list":
            peer = self.prefix_lists.get(peer, peer)
        return _permission_of(rule, peer, description)

    def _create_rule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        rule = self.rules[change.key]
        group_id = tree[f"group/{rule['group']}"]["group_id"]
        permission = self._permission(change.key, tree, change.after.get("description"))
        call = getattr(self.api, f"authorize_security_group_{rule['direction']}")
        call(GroupId=group_id, IpPermissions=[permission], aws_retry=True)
        return {}

    def _update_rule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        call = getattr(self.api, f"update_security_group_rule_descriptions_{self.rules[change.key]['direction']}")
        permission = self._permission(change.key, tree, change.after["description"])
        call(GroupId=self.found[change.key][0], IpPermissions=[permission], aws_retry=True)
        return {}

    def _delete_rule(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        group_id, permission = self.found[change.key]
        call = getattr(self.api, f"revoke_security_group_{change.name.split(' ')[1]}")
        call(GroupId=group_id, IpPermissions=[permission], aws_retry=True)
        return {}

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        groups = {_plan.name_of(key): fields for key, fields in sorted(tree.items()) if _plan.kind_of(key) == "group"}
        return {
            "groups": {name: fields.get("group_id", _plan.UNKNOWN) for name, fields in groups.items()},
            "prefix_lists": {
                name: {"id": self.prefix_lists[name], "cidrs": self._cidrs(self.prefix_lists[name])}
                for name in self.params["prefix_lists"]
            },
        }


def _permission_of(rule: dict[str, Any], peer: str, description: str | None) -> dict[str, Any]:
    """Return AWS's form of a rule, whose peer is an id or an address range."""
    kinds = [(peers, name) for peers, (name, kind) in PEERS.items() if kind == rule["kind"]]
    peers, name = kinds[-1] if ":" in peer else kinds[0]  # the two kinds of ranges: IPv4, then IPv6
    permission: dict[str, Any] = {"IpProtocol": "-1" if rule["protocol"] == "all" else rule["protocol"]}
    if rule["protocol"] != "all":
        permission.update(FromPort=rule["ports"][0], ToPort=rule["ports"][1])
    return {**permission, peers: [{name: peer, **({"Description": description} if description else {})}]}


def _named(group: dict[str, Any]) -> set[str]:
    """Return the ids of the groups that the rules of a group name."""
    permissions = [*group.get("IpPermissions", []), *group.get("IpPermissionsEgress", [])]
    return {pair["GroupId"] for permission in permissions for pair in permission.get("UserIdGroupPairs", [])}


def _said(kind: str, peer: str) -> str:
    return {"group": f"group {peer}", "prefix_list": f"prefix list {peer}"}.get(kind, peer)


def _check_description(where: str, text: str | None) -> None:
    if text is not None and not DESCRIPTION.fullmatch(text):
        raise _plan.Refused(
            f"{where} is {text!r}: AWS allows 1 to 255 letters, digits, spaces and . _-:/()#,@[]+=&;{{}}!$*"
        )


def _checked_rule(where: str, direction: str, rule: dict[str, Any]) -> dict[str, Any]:
    """Return protocol, ports, kind and name of the peer, and description of a rule."""
    word = WORDS[direction][0]
    peers = [f"{word}_{kind}" for kind in ("group", "cidr", "prefix_list")]
    spec: dict[str, Any] = {name: {"type": "int"} for name in ("port", "from_port", "to_port")}
    spec.update({name: {"type": "str"} for name in ("description", *peers)})
    spec["protocol"] = {"type": "str", "choices": ["tcp", "udp", *PORTLESS], "default": "tcp"}
    option, _dot, item = where.rpartition(".")
    checked = _aws.checked_items(
        option,
        {item: rule},
        spec,
        mutually_exclusive=[peers, ["port", "from_port"], ["port", "to_port"]],
        required_one_of=[peers],
        required_together=[["from_port", "to_port"]],
    )[item]
    _check_description(f"{where}.description", checked["description"])
    kind = next(kind for kind in ("group", "cidr", "prefix_list") if checked[f"{word}_{kind}"])
    peer = checked[f"{word}_{kind}"]
    if kind == "cidr":
        _check_cidr(f"{where}.{word}_cidr", peer)
    return {
        "protocol": checked["protocol"],
        "ports": _checked_ports(where, checked),
        "kind": kind,
        "peer": peer,
        "description": checked["description"],
    }


def _checked_ports(where: str, rule: dict[str, Any]) -> tuple[int, int]:
    given = [rule[name] for name in ("port", "from_port", "to_port") if rule[name] is not None]
    if rule["protocol"] in PORTLESS:
        if given:
            raise _plan.Refused(f"{where} gives a port with protocol {rule['protocol']}: leave the port out.")
        return -1, -1
    if not given:
        raise _plan.Refused(f"{where} has no port: give port, or from_port and to_port, or protocol all.")
    if not 0 <= given[0] <= given[-1] <= 65535:
        raise _plan.Refused(f"{where} has the ports {given[0]} to {given[-1]}: give 0 to 65535, the lower one first.")
    return given[0], given[-1]


def _check_cidr(where: str, text: str) -> None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        if not _plan.is_known(text):
            return
        raise _plan.Refused(f"{where} is {text!r}: give an address range such as 10.0.0.0/16.") from error
    if str(network) != text:
        raise _plan.Refused(f"{where} is {text!r}: AWS would store it as {network}; write that.")

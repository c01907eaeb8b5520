# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module application_load_balancer; actions and conditions are in _listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _header_secret, _listeners, _owned, _plan
from ._aws import Planned, tags_to_dict, tags_to_list, wait_for
from ._target_groups import (
    CHECKED,
    attribute_list,
    attribute_values,
    health_check_arguments,
    health_check_fields,
    target_group_options,
)

#: Marks target groups as belonging to a balancer of this name, also while nothing forwards to them.
BALANCER_TAG = "wordpress_ha:load_balancer"
DEFAULT_SSL_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
MISSING = ("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound")


class Balancer(Planned):
    """Target groups, one application load balancer, its listeners (by port) and their rules (by port/priority)."""

    order = ("target_group", "load_balancer", "listener", "rule")
    purge = ("target_group", "listener", "rule")
    immutable = {
        "target_group": ("port", "protocol", "target_type", "vpc_id"),
        "load_balancer": ("scheme",),
    }

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.elb = self.client("elbv2")
        self.name = self.params["name"]
        self.key = f"load_balancer/{self.name}"
        self.deleting = self.params["state"] == "absent"
        self.groups: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.shown: set[str] = set()
        self.found: _plan.Tree = {}

    # Reading

    def read(self) -> _plan.Tree:
        """Read everything; the calls grow by the attributes of each target group alone, since only they cannot be listed."""
        self._read_headers()
        for name, options in (self.params["target_groups"] or {}).items():
            self.groups[name] = target_group_options(name, options or {})
        balancers = self._balancers()
        arn = balancers[0]["LoadBalancerArn"] if balancers else None
        candidates = self._target_groups(arn)
        listeners = self._listeners(arn) if arn else []
        rules = [rule for listener in listeners for rule in listener["rules"]]
        arns = [
            *([arn] if arn else []),
            *(group["TargetGroupArn"] for group in candidates),
            *(listener["ListenerArn"] for listener in listeners),
            *(rule["RuleArn"] for rule in rules),
        ]
        tags = self._tags(arns)
        tree: _plan.Tree = {}
        for group in candidates:
            if self._is_ours(group["TargetGroupName"], tags[group["TargetGroupArn"]]):
                tree[f"target_group/{group['TargetGroupName']}"] = self._target_group_fields(group)
        names = {fields["arn"]: _plan.name_of(key) for key, fields in tree.items()}
        for balancer in balancers:
            tree[self.key] = self._balancer_fields(balancer)
        for listener in listeners:
            tree.update(self._listener_fields(listener, names))
        for key, fields in tree.items():
            fields["tags"] = tags[fields["arn"]]
            if _plan.kind_of(key) in ("load_balancer", "target_group"):
                _owned.refuse_foreign(
                    f"the {key.replace('/', ' ')}", fields["tags"], self.params["tags"], self.deleting
                )
        self._refuse_protected(tree)
        self.found = tree
        return tree

    def _refuse_protected(self, tree: _plan.Tree) -> None:
        protected = tree.get(self.key, {}).get("attributes", {}).get("deletion_protection.enabled") == "true"
        if self.deleting and protected:
            raise _owned.Refused(
                f"Load balancer {self.name} has deletion protection. Nothing was deleted. To delete it, first run with "
                "state=present and attributes {'deletion_protection.enabled': false}."
            )

    def _read_headers(self) -> None:
        """Tell the headers of rules that may be shown from those with a secret value, and read the latter's values."""
        rules = [rule for listener in self.params["listeners"] or [] for rule in listener["rules"] or []]
        conditions = [rule["conditions"] for rule in rules]
        self.shown = {header.lower() for given in conditions for header in given.get("http_header") or {}}
        given = [one["http_header_secret"] for one in conditions if one.get("http_header_secret")]
        if given and not self.deleting:
            self.secrets = _header_secret.values(given, self.client("secretsmanager"))
            # Whatever else may come to print them. What stands for an unknown value in check mode is no secret, and stands in every result.
            values = {value for known in self.secrets.values() for value in known.values()}
            self.module.no_log_values.update(values - {_plan.UNKNOWN})

    def _list(self, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return _owned.listed(self.elb, operation, key, MISSING, **arguments)

    def _balancers(self) -> list[dict[str, Any]]:
        return self._list("describe_load_balancers", "LoadBalancers", Names=[self.name])

    def _balancer_fields(self, balancer: Mapping[str, Any]) -> _plan.Fields:
        if balancer["Type"] != "application":
            raise _owned.Refused(f"The load balancer {self.name} is of type {balancer['Type']}. Choose another name.")
        answer = self.elb.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"], aws_retry=True)
        return {
            "scheme": balancer["Scheme"],
            "subnet_ids": sorted(zone["SubnetId"] for zone in balancer["AvailabilityZones"]),
            "security_group_ids": sorted(balancer.get("SecurityGroups", [])),
            "ip_address_type": balancer.get("IpAddressType"),
            "attributes": {item["Key"]: item["Value"] for item in answer["Attributes"]},
            **_balancer_identity(balancer),
        }

    def _target_groups(self, balancer: str | None) -> list[dict[str, Any]]:
        """Return the groups that are wanted by name or may be marked as this balancer's; those of others are not looked at."""
        return [
            group
            for group in self._list("describe_target_groups", "TargetGroups")
            if group["TargetGroupName"] in self.groups
            or not group.get("LoadBalancerArns")
            or balancer in group["LoadBalancerArns"]
        ]

    def _is_ours(self, name: str, tags: Mapping[str, str]) -> bool:
        return tags.get(BALANCER_TAG) == self.name or (name in self.groups and not self.deleting)

    def _target_group_fields(self, group: Mapping[str, Any]) -> _plan.Fields:
        arn = group["TargetGroupArn"]
        answer = self.elb.describe_target_group_attributes(TargetGroupArn=arn, aws_retry=True)
        return {
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "vpc_id": group.get("VpcId"),
            "target_type": group.get("TargetType"),
            "health_check": health_check_fields(group),
            "attributes": {item["Key"]: item["Value"] for item in answer["Attributes"]},
            "arn": arn,
        }

    def _listeners(self, balancer: str) -> list[dict[str, Any]]:
        """Return the listeners, each with its further certificates and its rules."""
        listeners = self._list("describe_listeners", "Listeners", LoadBalancerArn=balancer)
        for listener in listeners:
            arn = listener["ListenerArn"]
            listener["more"] = []
            if listener.get("Certificates"):
                found = self._list("describe_listener_certificates", "Certificates", ListenerArn=arn)
                default = {item["CertificateArn"] for item in listener["Certificates"]}
                listener["more"] = sorted({item["CertificateArn"] for item in found} - default)
            rules = self._list("describe_rules", "Rules", ListenerArn=arn)
            listener["rules"] = [rule for rule in rules if not rule["IsDefault"]]
        return listeners

    def _listener_fields(self, listener: Mapping[str, Any], names: Mapping[str, str]) -> _plan.Tree:
        port = listener["Port"]
        default = [item["CertificateArn"] for item in listener.get("Certificates") or []]
        tree: _plan.Tree = {
            f"listener/{port}": {
                "protocol": listener["Protocol"],
                "ssl_policy": listener.get("SslPolicy") if listener["Protocol"] == "HTTPS" else None,
                "certificates": default + listener["more"],
                "default_action": _listeners.reported_action(listener["DefaultActions"], names),
                "arn": listener["ListenerArn"],
            }
        }
        for rule in listener["rules"]:
            tree[f"rule/{port}/{rule['Priority']}"] = {
                "conditions": _listeners.reported_conditions(rule["Conditions"], self.secrets, self.shown),
                "action": _listeners.reported_action(rule["Actions"], names),
                "arn": rule["RuleArn"],
            }
        return tree

    def _tags(self, arns: list[str]) -> dict[str, dict[str, str]]:
        tags: dict[str, dict[str, str]] = {}
        for batch in _owned.batches(arns, 20):
            answer = self.elb.describe_tags(ResourceArns=batch, aws_retry=True)
            tags.update({item["ResourceArn"]: tags_to_dict(item["Tags"]) for item in answer["TagDescriptions"]})
        return tags

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given = self.params
        balancer = current.get(self.key, {})
        tree: _plan.Tree = {
            self.key: {
                "scheme": given["scheme"],
                "subnet_ids": sorted(given["subnet_ids"]),
                "security_group_ids": sorted(given["security_group_ids"]),
                "ip_address_type": given["ip_address_type"],
                "attributes": {**balancer.get("attributes", {}), **attribute_values(given["attributes"])},
            }
        }
        for name, options in self.groups.items():
            tree[f"target_group/{name}"] = self._wanted_group(options, current.get(f"target_group/{name}", {}))
        if given["target_groups"] is None:
            self._keep(tree, current, "target_group/")
        if given["listeners"] is None:
            self._keep(tree, current, "listener/", "rule/")
        for listener in given["listeners"] or []:
            self._want_listener(tree, current, listener)
        for key, fields in tree.items():
            tags = given["tags"]
            if _plan.kind_of(key) == "target_group":
                tags = {**(tags or {}), BALANCER_TAG: self.name}
            label = _plan.name_of(key)
            if _plan.kind_of(key) in ("listener", "rule"):
                label = f"{self.name}-{label.replace('/', '-')}"
            fields["tags"] = _owned.wanted_tags(label, current.get(key, {}).get("tags"), tags, given["purge_tags"])
        return tree

    def _wanted_group(self, options: Mapping[str, Any], group: _plan.Fields) -> _plan.Fields:
        check = {
            name: value
            for name, value in (options["health_check"] or {}).items()
            if value is not None and name in CHECKED
        }
        return {
            "port": options["port"],
            "protocol": options["protocol"],
            "target_type": options["target_type"],
            "vpc_id": self.params["vpc_id"],
            "health_check": {**group.get("health_check", {}), **check},
            "attributes": {**group.get("attributes", {}), **attribute_values(options["attributes"])},
        }

    @staticmethod
    def _keep(tree: _plan.Tree, current: _plan.Tree, *prefixes: str) -> None:
        """Want what is there, as it is: an option that was not given leaves its resources alone."""
        tree.update({key: {} for key in current if key.startswith(prefixes)})

    def _want_listener(self, tree: _plan.Tree, current: _plan.Tree, listener: Mapping[str, Any]) -> None:
        port, secure = listener["port"], listener["protocol"] == "HTTPS"
        key = f"listener/{port}"
        if key in tree:
            raise _owned.Refused(f"listeners names the port {port} twice. Keep one of them.")
        groups = [_plan.name_of(item) for item in tree if _plan.kind_of(item) == "target_group"]
        new = key not in current or current[key]["protocol"] != "HTTPS"
        certificates = listener["certificate_arns"]
        if secure and new and not certificates:
            raise _owned.Refused(f"The HTTPS listener on port {port} needs certificate_arns.")
        tree[key] = {
            "protocol": listener["protocol"],
            "ssl_policy": (listener["ssl_policy"] or (DEFAULT_SSL_POLICY if new else None)) if secure else None,
            "certificates": [certificates[0], *sorted(certificates[1:])] if secure and certificates else None,
            "default_action": _listeners.wanted_action(
                listener["default_action"], f"The listener on port {port}", groups
            ),
        }
        if listener["rules"] is None:
            self._keep(tree, current, f"rule/{port}/")
        for rule in listener["rules"] or []:
            where = f"Rule {rule['priority']} of the listener on port {port}"
            conditions = _listeners.wanted_conditions(rule["conditions"], self.secrets)
            if not conditions:
                raise _owned.Refused(f"{where} has no condition. Use the default_action for the rest of the requests.")
            if f"rule/{port}/{rule['priority']}" in tree:
                raise _owned.Refused(f"{where} is there twice. Priorities are unique.")
            action = _listeners.wanted_action(rule["action"], where, groups)
            tree[f"rule/{port}/{rule['priority']}"] = {"conditions": conditions, "action": action}

    def judged(self, changes: list[_plan.Change]) -> list[tuple[str, str, dict[str, Any]]]:
        """Let the security rules see the TLS policies before anything is written."""
        return [
            ("elbv2", "ModifyListener", {"SslPolicy": change.after["ssl_policy"]})
            for change in changes
            if change.after.get("ssl_policy")
        ]

    def arranged(self, changes: list[_plan.Change]) -> list[_plan.Change]:
        """Let a listener's rules precede a new default action: a guard never stands for a moment without its exception.

        Rules that take another place among their likes go one after another, each after the one whose place it takes.
        """
        late = [change for change in changes if change.action == _plan.UPDATE and change.kind == "listener"]
        moved = [change for change in changes if change.action == _plan.UPDATE and change.kind == "rule"]
        rest = [change for change in changes if change not in late and change not in moved]
        first = next((index for index, change in enumerate(rest) if change.action == _plan.DELETE), len(rest))
        return [*rest[:first], *_listeners.without_gaps(moved, self.found), *late, *rest[first:]]

    # Writing

    def _create_target_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wanted = change.after
        answer = self.elb.create_target_group(
            Name=change.name,
            Port=wanted["port"],
            Protocol=wanted["protocol"],
            VpcId=wanted["vpc_id"],
            TargetType=wanted["target_type"],
            Tags=tags_to_list(wanted["tags"]),
            aws_retry=True,
            **health_check_arguments(wanted["health_check"]),
        )
        arn = answer["TargetGroups"][0]["TargetGroupArn"]
        self._set_target_group_attributes(arn, wanted["attributes"])
        return {"arn": arn}

    def _update_target_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arn = tree[change.key]["arn"]
        if "health_check" in change.after:
            arguments = health_check_arguments(change.after["health_check"])
            self.elb.modify_target_group(TargetGroupArn=arn, aws_retry=True, **arguments)
        attributes = change.after.get("attributes", {})
        self._set_target_group_attributes(arn, _owned.changed_parameters(change.before.get("attributes"), attributes))
        return self._update_tags(change, tree)

    def _set_target_group_attributes(self, arn: str, values: Mapping[str, str]) -> None:
        if values:
            self.elb.modify_target_group_attributes(
                TargetGroupArn=arn, Attributes=attribute_list(values), aws_retry=True
            )

    def _delete_target_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        def deleted() -> bool:
            try:
                self.elb.delete_target_group(TargetGroupArn=tree[change.key]["arn"], aws_retry=True)
            except is_boto3_error_code("ResourceInUse"):
                return False  # AWS frees it some seconds after its listener has gone
            return True

        wait_for(
            self.module, f"target group {change.name} to be free for deletion", deleted, self.params["wait_timeout"]
        )
        return {}

    def _create_load_balancer(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wanted = change.after
        kind = wanted.get("ip_address_type")
        answer = self.elb.create_load_balancer(
            Name=self.name,
            Type="application",
            Scheme=wanted["scheme"],
            Subnets=wanted["subnet_ids"],
            SecurityGroups=wanted["security_group_ids"],
            Tags=tags_to_list(wanted.get("tags")),
            aws_retry=True,
            **({"IpAddressType": kind} if kind else {}),
        )
        identity = _balancer_identity(answer["LoadBalancers"][0])
        self._set_balancer_attributes(identity["arn"], wanted["attributes"])
        return identity

    def _update_load_balancer(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arn, after = tree[self.key]["arn"], change.after
        if "ip_address_type" in after:
            self.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType=after["ip_address_type"], aws_retry=True)
        if "subnet_ids" in after:
            self.elb.set_subnets(LoadBalancerArn=arn, Subnets=after["subnet_ids"], aws_retry=True)
        if "security_group_ids" in after:
            self.elb.set_security_groups(
                LoadBalancerArn=arn, SecurityGroups=after["security_group_ids"], aws_retry=True
            )
        values = _owned.changed_parameters(change.before.get("attributes"), after.get("attributes", {}))
        self._set_balancer_attributes(arn, values)
        return self._update_tags(change, tree)

    def _set_balancer_attributes(self, arn: str, values: Mapping[str, str]) -> None:
        if values:
            self.elb.modify_load_balancer_attributes(
                LoadBalancerArn=arn, Attributes=attribute_list(values), aws_retry=True
            )

    def _delete_load_balancer(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.elb.delete_load_balancer(LoadBalancerArn=tree[self.key]["arn"], aws_retry=True)
        what = f"load balancer {self.name} to disappear"
        wait_for(self.module, what, lambda: not self._balancers(), self.params["wait_timeout"])
        return {}

    def _create_listener(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.elb.create_listener(
            LoadBalancerArn=tree[self.key]["arn"],
            Port=int(change.name),
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
            **self._listener_arguments(change.after, tree),
        )
        arn = answer["Listeners"][0]["ListenerArn"]
        self._set_more_certificates(arn, [], change.after.get("certificates", [])[1:])
        return {"arn": arn}

    def _update_listener(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arn, after = tree[change.key]["arn"], change.after
        arguments = self._listener_arguments(after, tree)
        if arguments:
            self.elb.modify_listener(ListenerArn=arn, aws_retry=True, **arguments)
        if "certificates" in after:
            self._set_more_certificates(arn, change.before["certificates"] or [], after["certificates"][1:])
        return self._update_tags(change, tree)

    @staticmethod
    def _listener_arguments(fields: _plan.Fields, tree: _plan.Tree) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if "protocol" in fields:
            arguments["Protocol"] = fields["protocol"]
        if "ssl_policy" in fields:
            arguments["SslPolicy"] = fields["ssl_policy"]
        if fields.get("certificates"):
            arguments["Certificates"] = [{"CertificateArn": fields["certificates"][0]}]
        if "default_action" in fields:
            arguments["DefaultActions"] = _listeners.sent_action(fields["default_action"], _arn_in(tree))
        return arguments

    def _set_more_certificates(self, listener: str, before: list[str], after: list[str]) -> None:
        """Bring the certificates beside the default one to the wanted set."""
        added, removed = sorted(set(after) - set(before[1:])), sorted(set(before[1:]) - set(after))
        for call, arns in (("add_listener_certificates", added), ("remove_listener_certificates", removed)):
            for arn in arns:
                getattr(self.elb, call)(ListenerArn=listener, Certificates=[{"CertificateArn": arn}], aws_retry=True)

    def _delete_listener(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.elb.delete_listener(ListenerArn=tree[change.key]["arn"], aws_retry=True)
        return {}

    def _create_rule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        port, priority = change.name.split("/")
        answer = self.elb.create_rule(
            ListenerArn=tree[f"listener/{port}"]["arn"],
            Priority=int(priority),
            Conditions=_listeners.sent_conditions(change.after["conditions"], self.secrets),
            Actions=_listeners.sent_action(change.after["action"], _arn_in(tree)),
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        return {"arn": answer["Rules"][0]["RuleArn"]}

    def _update_rule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arguments: dict[str, Any] = {}
        if "conditions" in change.after:
            arguments["Conditions"] = _listeners.sent_conditions(change.after["conditions"], self.secrets)
        if "action" in change.after:
            arguments["Actions"] = _listeners.sent_action(change.after["action"], _arn_in(tree))
        if arguments:
            self.elb.modify_rule(RuleArn=tree[change.key]["arn"], aws_retry=True, **arguments)
        return self._update_tags(change, tree)

    def _delete_rule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.elb.delete_rule(RuleArn=tree[change.key]["arn"], aws_retry=True)
        return {}

    def _update_tags(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "tags" in change.after:
            arn = tree[change.key]["arn"]
            added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
            if removed:
                self.elb.remove_tags(ResourceArns=[arn], TagKeys=removed, aws_retry=True)
            if added:
                self.elb.add_tags(ResourceArns=[arn], Tags=tags_to_list(added), aws_retry=True)
        return {}

    # Waiting and reporting

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        def active() -> bool:
            state = self._balancers()[0]["State"]
            if state["Code"] == "failed":
                self.module.fail_json(
                    msg=f"AWS could not set up the load balancer {self.name}: {state.get('Reason', 'no reason given')}"
                )
            return bool(state["Code"] != "provisioning")

        if self.params["wait"] and tree[self.key]["status"] == "provisioning":
            wait_for(self.module, f"load balancer {self.name} to be active", active, self.params["wait_timeout"])
        return tree

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        balancer = tree.get(self.key)
        facts: dict[str, Any] = {
            name: balancer.get(name, _plan.UNKNOWN) if balancer else None
            for name in ("arn", "dns_name", "hosted_zone_id")
        }
        facts["target_groups"] = {
            _plan.name_of(key): fields.get("arn", _plan.UNKNOWN)
            for key, fields in sorted(tree.items())
            if _plan.kind_of(key) == "target_group"
        }
        listeners = {
            int(_plan.name_of(key)): fields for key, fields in tree.items() if _plan.kind_of(key) == "listener"
        }
        facts["listeners"] = [
            {"port": port, "protocol": fields["protocol"], "arn": fields.get("arn", _plan.UNKNOWN)}
            for port, fields in sorted(listeners.items())
        ]
        return facts


def _balancer_identity(balancer: Mapping[str, Any]) -> _plan.Fields:
    return {
        "arn": balancer["LoadBalancerArn"],
        "dns_name": balancer["DNSName"],
        "hosted_zone_id": balancer.get("CanonicalHostedZoneId"),
        "status": (balancer.get("State") or {}).get("Code"),
    }


def _arn_in(tree: _plan.Tree) -> Any:
    return lambda name: tree[f"target_group/{name}"]["arn"]

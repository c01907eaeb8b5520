# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The optional parts of a network (IPv6, interface endpoints, flow logs), and what reading and writing its kinds share."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _aws, _network, _owned, _plan

# EC2 answers so for seconds about what it has just created.
NOT_YET = [
    "InvalidAllocationID.NotFound",
    "InvalidGatewayID.NotFound",
    "InvalidGroup.NotFound",
    "InvalidInternetGatewayID.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidSecurityGroupID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidVpcID.NotFound",
]
# How the API calls each kind when it is tagged at creation.
RESOURCE_TYPES = {
    "vpc": "vpc",
    "internet_gateway": "internet-gateway",
    "subnet": "subnet",
    "elastic_ip": "elastic-ip",
    "nat_gateway": "natgateway",
    "route_table": "route-table",
    "endpoint": "vpc-endpoint",
    "egress_gateway": "egress-only-internet-gateway",
    "security_group": "security-group",
    "flow_log": "vpc-flow-log",
}


def names_of(tree: _plan.Tree, kind: str) -> dict[Any, str]:
    """Return our names of the resources of a kind, by their ids."""
    return {fields["id"]: _plan.name_of(key) for key, fields in tree.items() if _plan.kind_of(key) == kind}


class Parts(_aws.Planned):
    """What C(_vpc.Network) is built on."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name: str = self.params["name"]
        self.api = self.client("ec2", retried=NOT_YET)

    def ours(
        self, operation: str, items: str, argument: str = "Filters"
    ) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
        """Return part, description and tags of every resource of one kind that carries our tags."""
        asked = [{"Name": f"tag:{_network.NETWORK_TAG}", "Values": [self.name]}]
        return self.tagged_ours(self.pages(operation, items, {argument: asked}))

    def tagged_ours(self, every: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
        """Return part, description and tags of those that carry our tags."""
        result = []
        for found in every:
            tags = _aws.tags_to_dict(found.get("Tags"))
            if tags.get(_network.NETWORK_TAG) == self.name:  # an emulator may not know the filter
                result.append((tags.get(_network.PART_TAG, ""), found, tags))
        return result

    def pages(self, operation: str, items: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while not page or page.get("NextToken"):
            token = {"NextToken": page["NextToken"]} if page else {}
            page = getattr(self.api, operation)(aws_retry=True, **arguments, **token)
            result += page[items]
        return result

    def tagged(self, change: _plan.Change) -> dict[str, Any]:
        """Return how to tag a resource in the very call that creates it, so that a killed run leaves nothing unfound."""
        tags = _aws.tags_to_list(change.after["tags"])
        return {"TagSpecifications": [{"ResourceType": RESOURCE_TYPES[change.kind], "Tags": tags}], "aws_retry": True}

    def retag(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "tags" not in change.after:
            return {}
        resource = [tree[change.key]["id"]]
        setting, removing = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if setting:
            self.api.create_tags(Resources=resource, Tags=_aws.tags_to_list(setting), aws_retry=True)
        if removing:
            self.api.delete_tags(Resources=resource, Tags=[{"Key": key} for key in removing], aws_retry=True)
        return {}

    def vpc_id(self, tree: _plan.Tree) -> str:
        return str(tree[f"vpc/{self.name}"]["id"])

    # IPv6

    def read_vpc_ipv6(self, tree: _plan.Tree, vpc: dict[str, Any]) -> None:
        """Add the IPv6 range of the VPC, and the gateway that only exists where there is one."""
        for found in vpc.get("Ipv6CidrBlockAssociationSet", []):
            if found["Ipv6CidrBlockState"]["State"] in ("associating", "associated"):
                tree[f"vpc_ipv6/{self.name}"] = {"id": found["AssociationId"], "cidr": found.get("Ipv6CidrBlock")}
        if f"vpc_ipv6/{self.name}" not in tree:
            return
        gateways = self.ours("describe_egress_only_internet_gateways", "EgressOnlyInternetGateways")
        for _part, found, tags in gateways:
            tree[f"egress_gateway/{self.name}"] = {"id": found["EgressOnlyInternetGatewayId"], "tags": tags}

    @staticmethod
    def read_subnet_ipv6(tree: _plan.Tree, part: str, subnet: dict[str, Any]) -> None:
        """Add the IPv6 range of a subnet, which has one at most."""
        for found in subnet.get("Ipv6CidrBlockAssociationSet", []):
            if found["Ipv6CidrBlockState"]["State"] in ("associating", "associated"):
                tree[f"subnet_ipv6/{part}"] = {
                    "id": found["AssociationId"],
                    "cidr": found["Ipv6CidrBlock"],
                    "number": _network.ipv6_number(found["Ipv6CidrBlock"]),
                    "assign": bool(subnet.get("AssignIpv6AddressOnCreation")),
                }

    def _create_vpc_ipv6(self, _change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.api.associate_vpc_cidr_block(VpcId=self.vpc_id(tree), AmazonProvidedIpv6CidrBlock=True, aws_retry=True)
        return self._associated("describe_vpcs", "Vpcs", "VpcIds", self.vpc_id(tree))

    def _associated(self, operation: str, items: str, argument: str, identity: str) -> _plan.Fields:
        """Wait until a VPC or a subnet has its IPv6 range, and return it."""
        found: list[dict[str, Any]] = []

        def associated() -> bool:
            answer = getattr(self.api, operation)(aws_retry=True, **{argument: [identity]})
            ranges = answer[items][0].get("Ipv6CidrBlockAssociationSet", [])
            found.extend(one for one in ranges if one["Ipv6CidrBlockState"]["State"] == "associated")
            return bool(found)

        _aws.wait_for(self.module, f"the IPv6 range of {identity}", associated, self.params["wait_timeout"])
        return {"id": found[0]["AssociationId"], "cidr": found[0]["Ipv6CidrBlock"]}

    def _create_subnet_ipv6(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        vpc = tree[f"vpc_ipv6/{self.name}"]
        if not vpc["cidr"]:  # a run that was killed did not wait for it
            vpc.update(self._associated("describe_vpcs", "Vpcs", "VpcIds", self.vpc_id(tree)))
        subnet = tree[f"subnet/{change.name}"]["id"]
        cidr = _network.ipv6_subnet(vpc["cidr"], change.after["number"])
        self.api.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=cidr, aws_retry=True)
        made = self._associated("describe_subnets", "Subnets", "SubnetIds", subnet)
        if change.after["assign"]:
            self._assign_ipv6(subnet, True)
        return made

    def _update_subnet_ipv6(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._assign_ipv6(tree[f"subnet/{change.name}"]["id"], change.after["assign"])
        return {}

    def _assign_ipv6(self, subnet: str, value: bool) -> None:
        self.api.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": value}, aws_retry=True)

    def _create_egress_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_egress_only_internet_gateway(VpcId=self.vpc_id(tree), **self.tagged(change))
        return {"id": made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]}

    def _delete_egress_gateway(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=change.before["id"], aws_retry=True)
        return {}

    # Endpoints and their security group

    def check_services(self, tree: _plan.Tree, current: _plan.Tree) -> None:
        """Refuse services that the region, or one of the zones, has no interface endpoint for; asks only about new ones."""
        new = {
            _plan.name_of(key): fields["subnets"]
            for key, fields in tree.items()
            if "subnets" in fields and current.get(key, {}).get("subnets") != fields["subnets"]
        }
        if not new:
            return
        asked = [{"Name": "service-name", "Values": [self._service(name) for name in sorted(new)]}]
        known: dict[str, set[str]] = {}
        for one in self.pages("describe_vpc_endpoint_services", "ServiceDetails", {"Filters": asked}):
            if any(kind["ServiceType"] == "Interface" for kind in one["ServiceType"]):
                known.setdefault(one["ServiceName"], set()).update(one["AvailabilityZones"])
        for name in sorted(new):
            where = f"interface_endpoints names {name!r}"
            if self._service(name) not in known:
                raise _plan.Refused(
                    f"{where}, and {self.module.region} has no interface endpoint {self._service(name)}: correct it, or leave it out."
                )
            missing = sorted(set(self.params["availability_zones"]) - known[self._service(name)])
            if missing:
                raise _plan.Refused(
                    f"{where}, which AWS does not offer in {', '.join(missing)}: leave it out, or choose other zones."
                )

    def _service(self, name: str) -> str:
        return f"com.amazonaws.{self.module.region}.{name}"

    def read_security_group(self, tree: _plan.Tree, seen: list[dict[str, Any]] | None = None) -> None:
        """Add the group of the endpoints; ``seen`` are the groups of the VPC where they were read already."""
        known = self.ours("describe_security_groups", "SecurityGroups") if seen is None else self.tagged_ours(seen)
        for part, found, tags in known:
            if part == _network.ENDPOINT_GROUP:
                ranges = [one["CidrIp"] for rule in found["IpPermissions"] for one in rule["IpRanges"]]
                tree[f"security_group/{part}"] = {"id": found["GroupId"], "ingress": sorted(ranges), "tags": tags}

    def _create_security_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_security_group(
            GroupName=f"{self.name}-{change.name}",
            Description="Interface endpoints, for the VPC alone",
            VpcId=self.vpc_id(tree),
            **self.tagged(change),
        )
        self._allow(made["GroupId"], change.after["ingress"])
        return {"id": made["GroupId"]}

    def _allow(self, group: str, ranges: list[str]) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": one} for one in ranges]}
        self.api.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule], aws_retry=True)

    def _update_security_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "ingress" in change.after:
            group = tree[change.key]["id"]
            known = self.api.describe_security_groups(GroupIds=[group], aws_retry=True)["SecurityGroups"][0]
            if known["IpPermissions"]:
                self.api.revoke_security_group_ingress(
                    GroupId=group, IpPermissions=known["IpPermissions"], aws_retry=True
                )
            self._allow(group, change.after["ingress"])
        return self.retag(change, tree)

    def _delete_security_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def gone() -> bool:
            try:
                self.api.delete_security_group(GroupId=change.before["id"], aws_retry=True)
            except is_boto3_error_code("DependencyViolation"):
                return False  # the interfaces of a deleted endpoint linger for minutes
            except is_boto3_error_code("InvalidGroup.NotFound"):
                pass
            return True

        what = f"the security group {change.name} to be out of use"
        _aws.wait_for(self.module, what, gone, self.params["wait_timeout"], delay=5)
        return {}

    def read_endpoints(self, tree: _plan.Tree) -> None:
        """Add the endpoints, whose subnets, tables and groups are said by our names."""
        named = {kind: names_of(tree, kind) for kind in ("route_table", "subnet", "security_group")}
        for part, found, tags in self.ours("describe_vpc_endpoints", "VpcEndpoints"):
            if found["State"].lower() in ("deleting", "deleted"):
                continue
            fields: _plan.Fields = {"id": found["VpcEndpointId"], "tags": tags}
            if found["VpcEndpointType"] == "Interface":
                groups = [one["GroupId"] for one in found.get("Groups", [])]
                fields["subnets"] = sorted(named["subnet"].get(one, one) for one in found.get("SubnetIds", []))
                fields["groups"] = sorted(named["security_group"].get(one, one) for one in groups)
            else:
                fields["route_tables"] = sorted(
                    named["route_table"].get(one, one) for one in found.get("RouteTableIds", [])
                )
            tree[f"endpoint/{part}"] = fields

    def _create_endpoint(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        if "subnets" in after:
            kind: dict[str, Any] = {
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": True,
                "SubnetIds": [tree[f"subnet/{one}"]["id"] for one in after["subnets"]],
                "SecurityGroupIds": [tree[f"security_group/{one}"]["id"] for one in after["groups"]],
            }
        else:
            tables = [tree[f"route_table/{one}"]["id"] for one in after["route_tables"]]
            kind = {"VpcEndpointType": "Gateway", "RouteTableIds": tables}
        made = self.api.create_vpc_endpoint(
            VpcId=self.vpc_id(tree), ServiceName=self._service(change.name), **kind, **self.tagged(change)
        )
        return {"id": made["VpcEndpoint"]["VpcEndpointId"]}

    def _update_endpoint(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        given: dict[str, list[str]] = {}
        arguments = {"route_tables": "RouteTableIds", "subnets": "SubnetIds", "groups": "SecurityGroupIds"}
        kinds = {"route_tables": "route_table", "subnets": "subnet", "groups": "security_group"}
        for field, argument in arguments.items():
            if field in change.after:
                before, after = set(change.before[field]), set(change.after[field])
                for word, names in (("Add", after - before), ("Remove", before - after)):
                    if names:
                        ids = [tree.get(f"{kinds[field]}/{name}", {}).get("id", name) for name in sorted(names)]
                        given[f"{word}{argument}"] = ids
        if given:
            self.api.modify_vpc_endpoint(VpcEndpointId=tree[change.key]["id"], aws_retry=True, **given)
        return self.retag(change, tree)

    def _delete_endpoint(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        answer = self.api.delete_vpc_endpoints(VpcEndpointIds=[change.before["id"]], aws_retry=True)
        for failure in answer.get("Unsuccessful", []):
            self.module.fail_json(
                msg=f"AWS did not remove the endpoint {change.before['id']}: {failure['Error']['Message']}"
            )
        return {}

    # Flow logs

    def read_flow_logs(self, tree: _plan.Tree) -> None:
        """Add the flow log, and its log group where this run may write or remove it."""
        for _part, found, tags in self.ours("describe_flow_logs", "FlowLogs", "Filter"):
            tree["flow_log/vpc"] = {
                "id": found["FlowLogId"],
                "traffic": found["TrafficType"],
                "log_group": found.get("LogGroupName"),
                "role_arn": found.get("DeliverLogsPermissionArn"),
                "tags": tags,
            }
        given = self.params["flow_logs"]
        if self.params["state"] == "absent" or (self.params["state"] == "present" and given and given["enabled"]):
            self._read_log_group(tree)

    def _read_log_group(self, tree: _plan.Tree) -> None:
        self.logs = self.client("logs")
        written = tree.get("flow_log/vpc", {}).get("log_group")
        for name in sorted({_network.log_group_name(self.params), *([str(written)] if written else [])}):
            for found in _owned.listed(self.logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name):
                if found["logGroupName"] != name:
                    continue
                arn = found["arn"].removesuffix(":*")
                tags = self.logs.list_tags_for_resource(resourceArn=arn, aws_retry=True)["tags"]
                if tags.get(_network.NETWORK_TAG) == self.name:
                    days = found.get("retentionInDays")
                    tree[f"log_group/{name}"] = {"id": arn, "retention_days": days, "tags": tags}
                elif self.params["state"] == "present":
                    raise _plan.Refused(
                        f"flow_logs.log_group is {name!r}, which exists and carries no tag {_network.NETWORK_TAG}={self.name}: "
                        "give another name, or remove the log group."
                    )

    def _create_log_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.logs.create_log_group(logGroupName=change.name, tags=change.after["tags"], aws_retry=True)
        self._keep_entries(change)
        return {}

    def _keep_entries(self, change: _plan.Change) -> None:
        days = change.after["retention_days"]
        self.logs.put_retention_policy(logGroupName=change.name, retentionInDays=days, aws_retry=True)

    def _update_log_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "retention_days" in change.after:
            self._keep_entries(change)
        if "tags" in change.after:
            arn = tree[change.key]["id"]
            setting, removing = _owned.tag_changes(change.before["tags"], change.after["tags"])
            if setting:
                self.logs.tag_resource(resourceArn=arn, tags=setting, aws_retry=True)
            if removing:
                self.logs.untag_resource(resourceArn=arn, tagKeys=removing, aws_retry=True)
        return {}

    def _delete_log_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.logs.delete_log_group(logGroupName=change.name, aws_retry=True)
        return {}

    def _create_flow_log(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made: list[str] = []
        attempts = min(60, self.params["wait_timeout"]) // 5
        failures: list[str] = []

        def accepted() -> bool:
            answer = self.api.create_flow_logs(
                ResourceType="VPC",
                ResourceIds=[self.vpc_id(tree)],
                TrafficType=change.after["traffic"],
                LogDestinationType="cloud-watch-logs",
                LogGroupName=change.after["log_group"],
                DeliverLogsPermissionArn=change.after["role_arn"],
                **self.tagged(change),
            )
            made.extend(answer["FlowLogIds"])
            failures.extend(one["Error"]["Message"] for one in answer.get("Unsuccessful", []))
            if not made and len(failures) > attempts:
                self.module.fail_json(msg=f"AWS did not create the flow log of {self.vpc_id(tree)}: {failures[-1]}")
            return bool(made)

        # IAM takes seconds to make a new role known; a call before that succeeds, and says in its answer that it failed.
        _aws.wait_for(self.module, "the flow log", accepted, self.params["wait_timeout"], delay=5)
        return {"id": made[0]}

    def _update_flow_log(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if set(change.after) == {"tags"}:
            return self.retag(change, tree)
        # AWS cannot change a flow log. Two with the same destination cannot exist side by side.
        self.api.delete_flow_logs(FlowLogIds=[tree[change.key]["id"]], aws_retry=True)
        whole = {**tree[change.key], **change.after}
        return self._create_flow_log(_plan.Change(_plan.CREATE, change.key, {}, whole), tree)

    def _delete_flow_log(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_flow_logs(FlowLogIds=[change.before["id"]], aws_retry=True)
        return {}

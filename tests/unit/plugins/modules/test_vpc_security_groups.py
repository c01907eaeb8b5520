# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vpc_security_groups: groups that name one another, rules owned completely, plans that read like rules."""

from __future__ import annotations

import boto3
import contract
import pytest
from moto.ec2.models.security_groups import SecurityGroupRule

from ansible_collections.wordpress_ha.aws.plugins.modules import vpc_security_groups as module

GROUPS = {
    "alb": {
        "description": "Load balancer",
        "ingress": [
            {"port": 443, "source_cidr": "0.0.0.0/0", "description": "Visitors"},
            {"port": 443, "source_cidr": "::/0", "description": "Visitors"},
        ],
        "egress": [{"port": 80, "destination_group": "web", "description": "To the nodes"}],
    },
    # web and alb name each other: no order of "one group after the other" could create them.
    "web": {
        "description": "Web nodes",
        "ingress": [{"port": 80, "source_group": "alb", "description": "From the balancer"}],
        "egress": [{"protocol": "all", "destination_cidr": "0.0.0.0/0", "description": "Anywhere"}],
    },
    "files": {"ingress": [{"from_port": 2049, "to_port": 2050, "protocol": "tcp", "source_group": "web"}]},
}
PARAMS = {"name": "blog", "groups": GROUPS, "tags": {"wordpress_ha:stack": "blog"}}


@pytest.fixture(autouse=True)
def rules_are_equal_whatever_their_description(monkeypatch):
    """moto 5.2.5 compares the description of a group's rule, so that it can never be updated; AWS does not."""
    compare = SecurityGroupRule.__eq__

    def bare(rule):
        copied = SecurityGroupRule.__new__(SecurityGroupRule)
        copied.__dict__ = {**rule.__dict__, "source_group": {**rule.source_group, "Description": None}}
        return copied

    monkeypatch.setattr(SecurityGroupRule, "__eq__", lambda one, other: compare(bare(one), bare(other)))


def vpc():
    return {"vpc_id": boto3.client("ec2", region_name="us-east-1").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]}


def groups_of(aws, vpc_id):
    found = aws("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["SecurityGroups"]
    return {group["GroupName"]: group for group in found if group["GroupName"] != "default"}


def rules_of(aws, group_id):
    asked = [{"Name": "group-id", "Values": [group_id]}]
    return aws("ec2").describe_security_group_rules(Filters=asked)["SecurityGroupRules"]


def test_keeps_the_contract(aws):
    params = {**PARAMS, **vpc()}
    modified = {
        **params,
        "groups": {
            **GROUPS,
            "web": {
                "ingress": [{"port": 8080, "source_group": "alb"}],
                "egress": [{"port": 443, "destination_cidr": "0.0.0.0/0"}],
            },
        },
        "tags": {"owner": "me"},
    }
    first = contract.keep(module, params, modified, left=lambda: groups_of(aws, params["vpc_id"]))
    assert set(first.facts["groups"]) == {"alb", "web", "files"}


def test_survives_a_kill_between_any_two_calls():
    assert contract.survive_kills(module, PARAMS, vpc) > 15


def test_rules_name_groups_and_the_default_egress_rule_goes(aws):
    params = {**PARAMS, **vpc()}
    outcome = contract.succeed(module, params)
    ids = outcome.facts["groups"]
    alb = rules_of(aws, ids["alb"])
    egress = [rule for rule in alb if rule["IsEgress"]]
    assert [rule["ReferencedGroupInfo"]["GroupId"] for rule in egress] == [ids["web"]]
    # Not given, so left as AWS made it.
    assert [rule["CidrIpv4"] for rule in rules_of(aws, ids["files"]) if rule["IsEgress"]] == ["0.0.0.0/0"]
    assert groups_of(aws, params["vpc_id"])["blog-files"]["Description"] == "files"
    resources = [action["resource"] for action in outcome.result["actions"]]
    assert resources[:3] == ["group/alb", "group/files", "group/web"]
    assert "rule/web ingress tcp 80 from group alb" in resources
    assert "rule/files ingress tcp 2049-2050 from group web" in resources
    assert "rule/web egress all to 0.0.0.0/0" in resources


def test_a_description_changes_without_a_new_rule(aws):
    params = {**PARAMS, **vpc()}
    web = contract.succeed(module, params).facts["groups"]["web"]
    before = {rule["SecurityGroupRuleId"] for rule in rules_of(aws, web)}
    groups = {"web": {"ingress": [{"port": 80, "source_group": "alb", "description": "Changed"}]}, "alb": {}}
    outcome = contract.converge(module, {**params, "groups": groups})
    assert outcome.writing == ["ec2:UpdateSecurityGroupRuleDescriptionsIngress"]
    assert {rule["SecurityGroupRuleId"] for rule in rules_of(aws, web)} == before
    pairs = groups_of(aws, params["vpc_id"])["blog-web"]["IpPermissions"][0]["UserIdGroupPairs"]
    assert [pair["Description"] for pair in pairs] == ["Changed"]


def test_a_rule_somebody_added_is_removed(aws):
    params = {**PARAMS, **vpc()}
    web = contract.succeed(module, params).facts["groups"]["web"]
    extra = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    aws("ec2").authorize_security_group_ingress(GroupId=web, IpPermissions=extra)
    outcome = contract.converge(module, params)
    assert [action["resource"] for action in outcome.result["actions"]] == ["rule/web ingress tcp 22 from 0.0.0.0/0"]
    assert len(rules_of(aws, web)) == 2


def test_an_own_group_may_be_given_by_id_and_a_foreign_one_too(aws):
    params = {**PARAMS, **vpc()}
    foreign = aws("ec2").create_security_group(GroupName="foreign", Description="x", VpcId=params["vpc_id"])["GroupId"]
    ids = contract.succeed(module, params).facts["groups"]
    groups = {
        "web": {"ingress": [{"port": 80, "source_group": ids["alb"]}, {"port": 22, "source_group": foreign}]},
    }
    outcome = contract.converge(module, {**params, "groups": groups})
    assert [action["resource"] for action in outcome.result["actions"]] == [
        f"rule/web ingress tcp 22 from group {foreign}"
    ]


def test_predicts_in_a_vpc_that_does_not_exist_yet(aws):
    outcome = contract.succeed(module, {**PARAMS, "vpc_id": "(known after apply)"}, check=True)
    assert outcome.calls == []
    assert outcome.facts["groups"] == dict.fromkeys(("alb", "files", "web"), "(known after apply)")


def test_somebody_elses_group_is_neither_taken_nor_deleted(aws):
    params = {**PARAMS, **vpc()}
    aws("ec2").create_security_group(GroupName="blog-web", Description="x", VpcId=params["vpc_id"])
    contract.refuse(module, params, "blog-web", "wordpress_ha:network")
    contract.succeed(module, {"name": "blog", "vpc_id": params["vpc_id"], "state": "absent"})
    assert set(groups_of(aws, params["vpc_id"])) == {"blog-web"}


def test_descriptions_of_groups_cannot_change(aws):
    params = {**PARAMS, **vpc()}
    contract.succeed(module, params)
    contract.refuse(
        module, {**params, "groups": {"alb": {"description": "Other"}}}, "description", "group/alb", "Load balancer"
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"port": 80}, ["groups.web.ingress[0]", "source_group"]),
        ({"port": 80, "source_group": "lb"}, ["groups.web.ingress[0]", "'lb'", "web"]),
        ({"port": 80, "source_cidr": "10.0.0.1/16"}, ["source_cidr", "10.0.0.1/16", "10.0.0.0/16"]),
        ({"port": 80, "source_cidr": "everywhere"}, ["source_cidr", "everywhere"]),
        ({"port": 80, "destination_cidr": "10.0.0.0/16"}, ["groups.web.ingress[0]", "destination_cidr"]),
        ({"source_cidr": "10.0.0.0/16"}, ["groups.web.ingress[0]", "no port"]),
        ({"from_port": 90, "to_port": 80, "source_cidr": "10.0.0.0/16"}, ["90 to 80"]),
        ({"port": 80, "protocol": "all", "source_cidr": "10.0.0.0/16"}, ["protocol all"]),
        ({"port": 80, "source_cidr": "10.0.0.0/16", "source_group": "web"}, ["mutually exclusive"]),
        ({"port": 80, "source_cidr": "10.0.0.0/16", "description": "naïve"}, ["description", "naïve"]),
    ],
)
def test_refuses_before_any_write(aws, rule, words):
    contract.refuse(module, {**PARAMS, **vpc(), "groups": {"web": {"ingress": [rule]}}}, *words)


def test_refuses_a_rule_given_twice(aws):
    rule = {"port": 80, "source_group": "web"}
    contract.refuse(module, {**PARAMS, **vpc(), "groups": {"web": {"ingress": [rule, rule]}}}, "second time")


LIST = "com.amazonaws.us-east-1.s3"


def test_prefix_lists_go_by_name_or_id(aws):
    """A plan says the name, a call the id; given either way it is the same rule."""
    vpc_id = vpc()["vpc_id"]
    found = aws("ec2").describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [LIST]}])
    number = found["PrefixLists"][0]["PrefixListId"]

    def params(peer):
        rule = {"from_port": 80, "to_port": 443, "source_prefix_list": peer}
        return {"name": "blog", "vpc_id": vpc_id, "groups": {"alb": {"ingress": [rule]}}, "prefix_lists": [LIST]}

    predicted = contract.succeed(module, params(LIST), check=True)
    made = contract.succeed(module, params(LIST))
    assert predicted.result["actions"] == made.result["actions"]
    assert made.result["actions"][-1]["resource"] == f"rule/alb ingress tcp 80-443 from prefix list {LIST}"
    (group,) = aws("ec2").describe_security_groups(GroupIds=[made.facts["groups"]["alb"]])["SecurityGroups"]
    assert [one["PrefixListId"] for rule in group["IpPermissions"] for one in rule["PrefixListIds"]] == [number]
    assert made.facts["prefix_lists"][LIST]["id"] == number and made.facts["prefix_lists"][LIST]["cidrs"]
    assert contract.succeed(module, params(LIST)).result["changed"] is False
    assert contract.succeed(module, params(number)).result["changed"] is False
    contract.refuse(module, params("com.amazonaws.typo"), "'com.amazonaws.typo'", "alb", "pl-")
    contract.refuse(module, {**params(LIST), "prefix_lists": ["typo"]}, "prefix_lists", "'typo'")


# Groups that are no longer mentioned, IPv6, and finding the family without its VPC


def without(params, group):
    return {**params, "groups": {name: item for name, item in params["groups"].items() if name != group}}


def test_a_group_that_is_not_mentioned_stays_unless_purged(aws):
    params = {**PARAMS, **vpc()}
    contract.succeed(module, params)
    contract.converge(module, without(params, "files"), changed=False)
    outcome = contract.converge(module, {**without(params, "files"), "purge_groups": True})
    assert {f"{item['action']} {item['resource'].split(' ')[0]}" for item in outcome.result["actions"]} == {
        "delete rule/files",
        "delete group/files",
    }
    assert set(outcome.facts["groups"]) == {"alb", "web"}
    assert "blog-files" not in groups_of(aws, params["vpc_id"])


def test_a_group_in_use_is_closed_and_stays(aws):
    params = {**PARAMS, **vpc()}
    files = contract.succeed(module, params).facts["groups"]["files"]
    ec2 = aws("ec2")
    subnet = ec2.create_subnet(VpcId=params["vpc_id"], CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[files])["NetworkInterface"]["NetworkInterfaceId"]
    purging = {**without(params, "files"), "purge_groups": True}
    outcome = contract.converge(module, purging)
    assert {item["resource"].split("/")[0] for item in outcome.result["actions"]} == {"rule"}
    assert rules_of(aws, files) == []
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    assert contract.converge(module, purging).writing == ["ec2:DeleteSecurityGroup"]


def test_a_group_that_somebody_else_s_rule_names_stays(aws):
    params = {**PARAMS, **vpc()}
    files = contract.succeed(module, params).facts["groups"]["files"]
    ec2 = aws("ec2")
    foreign = ec2.create_security_group(GroupName="theirs", Description="x", VpcId=params["vpc_id"])["GroupId"]
    pairs = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": files}]}]
    ec2.authorize_security_group_ingress(GroupId=foreign, IpPermissions=pairs)
    outcome = contract.converge(module, {**without(params, "files"), "purge_groups": True})
    assert "files" in outcome.facts["groups"]


def test_a_new_group_of_a_vpc_with_ipv6_has_no_way_out_that_nobody_wants(aws):
    params = {**PARAMS, **vpc(), "ipv6": True}
    aws("ec2").associate_vpc_cidr_block(VpcId=params["vpc_id"], AmazonProvidedIpv6CidrBlock=True)
    ids = contract.converge(module, params).facts["groups"]
    ways = {rule.get("CidrIpv6") or rule.get("CidrIpv4") for rule in rules_of(aws, ids["web"]) if rule["IsEgress"]}
    assert ways == {"0.0.0.0/0"}


def test_the_family_is_found_and_removed_without_its_vpc(aws):
    params = {**PARAMS, **vpc()}
    made = contract.succeed(module, params).facts
    assert contract.succeed(module, {"name": "blog", "state": "gathered"}).facts == made
    contract.converge(module, {"name": "blog", "state": "absent"})
    assert not groups_of(aws, params["vpc_id"])


def test_another_stack_s_groups_are_refused(aws):
    params = {**PARAMS, **vpc()}
    contract.succeed(module, params)
    foreign = {"wordpress_ha:stack": "shop"}
    contract.refuse(module, {"name": "blog", "state": "absent", "tags": foreign}, "belongs to the stack 'blog'")


def test_the_network_s_own_group_is_no_part_of_the_family(aws):
    params = {**PARAMS, **vpc()}
    tags = [
        {"Key": "wordpress_ha:network", "Value": "blog"},
        {"Key": "wordpress_ha:part", "Value": "interface-endpoints"},
    ]
    specification = [{"ResourceType": "security-group", "Tags": tags}]
    aws("ec2").create_security_group(
        GroupName="blog-interface-endpoints", Description="x", VpcId=params["vpc_id"], TagSpecifications=specification
    )
    contract.converge(module, {**params, "purge_groups": True})
    contract.converge(module, {"name": "blog", "state": "absent"})
    assert set(groups_of(aws, params["vpc_id"])) == {"blog-interface-endpoints"}
    wrong = {**params, "groups": {"interface-endpoints": {}}}
    contract.refuse(module, wrong, "interface-endpoints", "choose another")


def test_the_world_is_let_in_on_the_balancer_s_ports_alone(aws):
    rule = {"port": 22, "source_cidr": "0.0.0.0/0"}
    params = {**PARAMS, **vpc(), "groups": {"bastion": {"ingress": [rule]}}}
    outcome = contract.run(module, params, check=True)
    assert outcome.failed and "port 22" in outcome.result["msg"] and "0.0.0.0/0" in outcome.result["msg"]

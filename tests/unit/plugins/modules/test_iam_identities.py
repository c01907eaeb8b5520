# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iam_identities: roles with all that belongs to them, compared by what they mean, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import iam_identities as module

SSM = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
BACKUP = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
READ = {
    "Sid": "Contract",
    "Effect": "Allow",
    "Action": ["ssm:GetParametersByPath", "ssm:GetParameter"],
    "Resource": [
        "arn:aws:ssm:eu-central-1:123456789012:parameter/blog",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/blog/*",
    ],
}
PURGE = {
    "Sid": "Purge",
    "Effect": "Allow",
    "Action": "cloudfront:CreateInvalidation",
    "Resource": "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE",
    "Condition": {"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-central-1"]}},
}
EVERYBODY = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}
WEB = {
    "description": "Web nodes of the stack blog",
    "service": "ec2.amazonaws.com",
    "managed_policies": [SSM],
    "policies": {"contract": [READ, PURGE], "logs": [{**READ, "Sid": "Logs", "Action": "logs:PutLogEvents"}]},
    "instance_profile": True,
    "tags": {"wordpress_ha:role": "web"},
}
PARAMS = {
    "roles": {
        "blog-web": WEB,
        "blog-backups": {"service": "backup.amazonaws.com", "managed_policies": [BACKUP], "max_session_duration": 7200},
    },
    "tags": {"wordpress_ha:stack": "blog"},
}
MODIFIED = {
    **PARAMS,
    "roles": {
        "blog-web": {
            "description": "Other",
            "trust": {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": ["ec2.amazonaws.com", "ssm.amazonaws.com"]},
                },
            },
            "managed_policies": [BACKUP],
            "policies": {"contract": [PURGE], "metrics": [READ]},
            "instance_profile": True,
            "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
            "max_session_duration": 43200,
            "tags": {"wordpress_ha:role": "nodes"},
        },
        "blog-backups": {"policies": {"extra": [READ]}, "instance_profile": True},
    },
    "purge_tags": True,
}
Aws = Callable[[str], Any]


def one(**changes: Any) -> dict[str, Any]:
    """Return parameters of one role that differ from the usual."""
    return {**PARAMS, "roles": {"blog-web": {**WEB, **changes}}}


def left(emulated: Aws) -> list[Any]:
    iam = emulated("iam")
    return [*iam.list_roles()["Roles"], *iam.list_instance_profiles()["InstanceProfiles"]]


def test_keeps_the_contract(emulated: Aws) -> None:
    first = contract.keep(module, PARAMS, MODIFIED, left=lambda: left(emulated))
    web = first.facts["roles"]["blog-web"]
    assert web["name"] == "blog-web" and web["arn"].endswith(":role/blog-web")
    assert web["instance_profile_arn"].endswith(":instance-profile/blog-web")
    assert first.facts["roles"]["blog-backups"]["instance_profile_arn"] is None


def test_survives_a_kill_between_any_two_calls(emulated: Aws) -> None:
    kills = contract.survive_kills(module, PARAMS)
    assert kills == 16  # 8 to make two roles, 8 to take them apart


def test_check_mode_foretells_the_arns(emulated: Aws) -> None:
    predicted = contract.succeed(module, PARAMS, check=True)
    assert predicted.facts == contract.succeed(module, PARAMS).facts


def test_everything_arrives(emulated: Aws) -> None:
    contract.succeed(module, PARAMS)
    contract.succeed(module, MODIFIED)
    iam = emulated("iam")
    role = iam.get_role(RoleName="blog-web")["Role"]
    assert role["Description"] == "Other" and role["MaxSessionDuration"] == 43200
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("PowerUserAccess")
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == {
        "wordpress_ha:stack": "blog",
        "wordpress_ha:role": "nodes",
    }
    attached = iam.list_attached_role_policies(RoleName="blog-web")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [BACKUP]
    assert sorted(iam.list_role_policies(RoleName="blog-web")["PolicyNames"]) == ["contract", "metrics"]
    document = iam.get_role_policy(RoleName="blog-web", PolicyName="contract")["PolicyDocument"]
    assert document == {"Version": "2012-10-17", "Statement": [PURGE]}
    other = iam.get_role(RoleName="blog-backups")["Role"]
    assert other["MaxSessionDuration"] == 7200, "an update of one setting reset another"
    profile = iam.get_instance_profile(InstanceProfileName="blog-web")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["blog-web"]
    assert {"Key": "wordpress_ha:stack", "Value": "blog"} in profile["Tags"]


def test_unset_is_left_alone_and_costs_nothing(emulated: Aws) -> None:
    contract.succeed(module, PARAMS)
    contract.succeed(module, MODIFIED)
    outcome = contract.converge(module, {"roles": {"blog-web": {}, "blog-backups": {}}}, changed=False)
    assert [str(call) for call in outcome.calls] == ["iam:GetRole", "iam:GetRole"]
    contract.converge(module, one(permissions_boundary="", policies=None, trust=None, instance_profile=None))
    role = emulated("iam").get_role(RoleName="blog-web")["Role"]
    assert "PermissionsBoundary" not in role
    assert len(emulated("iam").list_role_policies(RoleName="blog-web")["PolicyNames"]) == 2


@pytest.mark.parametrize(
    "statements",
    [
        [PURGE, READ],
        [{**READ, "Action": READ["Action"][::-1], "Resource": READ["Resource"][::-1]}, PURGE],
        [READ, {**PURGE, "Action": ["cloudfront:createinvalidation"], "Resource": [PURGE["Resource"]]}],
        [READ, {**PURGE, "Condition": {"stringEquals": {"aws:requestedregion": ["eu-central-1", "us-east-1"]}}}],
    ],
)
def test_spelling_makes_no_difference(emulated: Aws, statements: list[Any]) -> None:
    contract.succeed(module, one(policies={"contract": [READ, PURGE]}))
    contract.converge(module, one(policies={"contract": statements}), changed=False)


@pytest.mark.parametrize(
    "statements",
    [
        [READ],
        [READ, {**PURGE, "Effect": "Deny"}],
        [READ, {**PURGE, "Sid": "Other"}],
        [READ, {**PURGE, "Resource": PURGE["Resource"].lower()}],
        [READ, {**PURGE, "Condition": {"StringEquals": {"aws:RequestedRegion": ["us-east-1"]}}}],
        [READ, {**PURGE, "Condition": {"StringLike": PURGE["Condition"]["StringEquals"]}}],
        [READ, PURGE, {**PURGE, "Sid": ""}],
    ],
)
def test_meaning_does(emulated: Aws, statements: list[Any]) -> None:
    contract.succeed(module, one(policies={"contract": [READ, PURGE]}))
    assert contract.converge(module, one(policies={"contract": statements})).writing == ["iam:PutRolePolicy"]


def test_trust_is_compared_as_aws_stores_it(emulated: Aws) -> None:
    """An account's number comes back as the ARN of its root."""

    def trust(principal: str) -> dict[str, Any]:
        said = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"AWS": principal}}
        return {"Version": "2012-10-17", "Statement": [said]}

    contract.succeed(module, one(service=None, trust=trust("arn:aws:iam::111122223333:root")))
    contract.converge(module, one(service=None, trust=trust("111122223333")), changed=False)
    outcome = contract.converge(module, one(service=None, trust=trust("111122223334")))
    assert outcome.writing == ["iam:UpdateAssumeRolePolicy"]


def test_only_differences_are_written(emulated: Aws) -> None:
    contract.succeed(module, PARAMS)
    assert contract.succeed(module, one(description="Other")).writing == ["iam:UpdateRole"]
    assert contract.succeed(module, one(description="Other", policies={})).writing == ["iam:DeleteRolePolicy"] * 2
    outcome = contract.succeed(module, one(description="Other", policies={}, instance_profile=False))
    assert outcome.writing == ["iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"]
    assert contract.succeed(module, one(description="Other", policies={}, instance_profile=None)).writing == []


def test_what_an_earlier_version_made_is_adopted(emulated: Aws) -> None:
    """Its instance profile carries no tags; when the role goes it goes too."""
    iam = emulated("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(
        RoleName="blog-web", AssumeRolePolicyDocument=document, Tags=[{"Key": "wordpress_ha:stack", "Value": "blog"}]
    )
    iam.create_instance_profile(InstanceProfileName="blog-web")
    iam.add_role_to_instance_profile(InstanceProfileName="blog-web", RoleName="blog-web")
    contract.succeed(module, {**one(), "state": "absent"}, check=True)
    contract.keep(module, one(), left=lambda: left(emulated))


def test_a_role_in_foreign_hands_is_let_go(emulated: Aws) -> None:
    contract.succeed(module, PARAMS)
    iam = emulated("iam")
    iam.create_instance_profile(InstanceProfileName="somebody")
    iam.add_role_to_instance_profile(InstanceProfileName="somebody", RoleName="blog-backups")
    iam.put_role_policy(
        RoleName="blog-backups",
        PolicyName="by-hand",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [READ]}),
    )
    contract.succeed(module, {**PARAMS, "roles": {"blog-web": {}, "blog-backups": {}}, "state": "absent"})
    assert [profile["InstanceProfileName"] for profile in left(emulated)] == ["somebody"]


def test_foreign_ones_are_refused(emulated: Aws) -> None:
    contract.succeed(module, {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}})
    contract.refuse(module, PARAMS, "role blog-web", "'shop'", "'blog'")
    contract.refuse(module, {**PARAMS, "state": "absent"}, "role blog-web", "'shop'")
    iam = emulated("iam")
    iam.create_role(RoleName="wild", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))
    contract.refuse(module, {**PARAMS, "roles": {"wild": {}}, "state": "absent"}, "wild", "no tag wordpress_ha:stack")
    iam.create_instance_profile(InstanceProfileName="held")
    iam.add_role_to_instance_profile(InstanceProfileName="held", RoleName="wild")
    contract.refuse(module, {**PARAMS, "roles": {"held": WEB}}, "instance profile held", "wild")
    iam.create_instance_profile(InstanceProfileName="empty")
    contract.refuse(module, {**PARAMS, "roles": {"empty": {}}, "state": "absent"}, "instance profile empty", "no tag")


def test_unknown_arns_are_foretold(emulated: Aws) -> None:
    unknown = one(
        policies={"contract": [{**READ, "Resource": ["(known after apply)"]}]}, managed_policies=["(known after apply)"]
    )
    assert contract.succeed(module, unknown, check=True).result["changed"] is True
    contract.refuse(module, unknown, "known after apply")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"service": "ec2"}, ["roles.blog-web.service", "'ec2'", "ec2.amazonaws.com"]),
        ({"service": None}, ["roles.blog-web", "neither service nor trust"]),
        ({"trust": {"Statement": []}}, ["roles.blog-web", "both service and trust"]),
        ({"service": None, "trust": {"Statement": [READ]}}, ["roles.blog-web.trust.Statement[0]", "no Principal"]),
        ({"managed_policies": ["ReadOnlyAccess"]}, ["roles.blog-web.managed_policies", "'ReadOnlyAccess'", "ARN"]),
        ({"managed_policies": [SSM, SSM]}, ["managed_policies", "each once"]),
        ({"permissions_boundary": "none"}, ["permissions_boundary", "'none'"]),
        ({"max_session_duration": 60}, ["max_session_duration", "60", "3600"]),
        ({"description": "x" * 1001}, ["description", "1001"]),
        ({"policies": {"a b": [READ]}}, ["policies", "'a b'"]),
        ({"policies": {"a": []}}, ["policies.a", "leave the policy out"]),
        ({"policies": {"a": [READ, READ]}}, ["policies.a[1].Sid", "second time"]),
        ({"policies": {"a": [{**READ, "Sid": "a-b"}]}}, ["policies.a[0].Sid", "'a-b'"]),
        ({"policies": {"a": [{**READ, "Effect": "allow"}]}}, ["policies.a[0].Effect", "'allow'"]),
        ({"policies": {"a": [{**READ, "Principal": "*"}]}}, ["policies.a[0].Principal", "Leave it out"]),
        ({"policies": {"a": [{"Effect": "Allow", "Action": "s3:GetObject"}]}}, ["policies.a[0]", "no Resource"]),
        ({"policies": {"a": [{"Effect": "Allow", "Resource": "*"}]}}, ["policies.a[0]", "Action"]),
        ({"policies": {"a": [{**READ, "Action": "*"}]}}, ["policy a", "Action", "wildcard-action"]),
        ({"policies": {"a": [{**READ, "Resource": [""]}]}}, ["policies.a[0].Resource"]),
        ({"policies": {"a": [{**READ, "Resource": "arn:" + "x" * 10240}]}}, ["policies have", "10240"]),
        ({"policies": {"a": [{**READ, "Action": "s3:*"}]}}, ["'s3:*'", "wildcard-action"]),
        ({"service": None, "trust": {"Statement": [EVERYBODY]}}, ["Principal", "wildcard-principal"]),
        ({"polices": {}}, ["roles.blog-web", "polices"]),
    ],
)
def test_refuses_before_any_write(emulated: Aws, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, one(**change), *words)


def test_refuses_an_impossible_name(emulated: Aws) -> None:
    contract.refuse(module, {**PARAMS, "roles": {"blog web": WEB}}, "'blog web'", "64")

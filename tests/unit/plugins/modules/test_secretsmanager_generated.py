# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""secretsmanager_generated: generated once, never shown, never changed."""

from __future__ import annotations

import json

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import secretsmanager_generated as module

PARAMS = {
    "name": "blog/wordpress-database",
    "literals": {"username": "wordpress"},
    "keys": {"password": {"length": 40}},
    "description": "Database user",
    "tags": {"wordpress_ha:stack": "blog"},
}


def value_of(aws, name=PARAMS["name"]):
    return json.loads(aws("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def test_keeps_the_contract(aws):
    modified = {**PARAMS, "literals": {"username": "editor"}, "description": "Other", "recovery_window": 0}
    contract.keep(module, PARAMS, modified, left=lambda: aws("secretsmanager").list_secrets()["SecretList"])


def test_survives_a_kill_between_any_two_calls():
    assert contract.survive_kills(module, {**PARAMS, "recovery_window": 0}) == 2


def test_generates_by_length_and_charset(aws):
    contract.succeed(
        module, {**PARAMS, "keys": {"a": {"length": 64, "charset": "hex"}, "b": {"charset": "symbols"}, "c": {}}}
    )
    value = value_of(aws)
    assert len(value["a"]) == 64
    assert set(value["a"]) <= set("0123456789abcdef")
    assert len(value["b"]) == 48
    assert not set(value["b"]) & set("\"'\\/@$` ")
    assert value["c"].isalnum()


def test_a_missing_key_is_added_and_every_other_value_survives(aws):
    aws("secretsmanager").create_secret(
        Name=PARAMS["name"], SecretString=json.dumps({"password": "old", "foreign": "kept"})
    )
    outcome = contract.converge(module, {**PARAMS, "keys": {"password": {}, "extra": {}}})
    value = value_of(aws)
    assert (value["password"], value["foreign"], value["username"]) == ("old", "kept", "wordpress")
    assert len(value["extra"]) == 48
    assert outcome.facts["keys"] == ["extra", "foreign", "password", "username"]


def test_no_value_is_ever_in_the_output(aws):
    first = contract.succeed(module, PARAMS)
    changed = contract.succeed(module, {**PARAMS, "keys": {**PARAMS["keys"], "more": {}}})
    # Even where a literal takes the place of a generated value, the diff must not show the latter.
    before = value_of(aws)
    literal = contract.succeed(module, {**PARAMS, "keys": {}, "literals": {"more": "plain"}})
    for outcome in (first, changed, literal):
        text = json.dumps(outcome.result)
        assert before["password"] not in text
        assert before["more"] not in text
    assert value_of(aws)["more"] == "plain"


def test_a_secret_pending_deletion_is_restored_with_its_values(aws):
    contract.succeed(module, PARAMS)
    before = value_of(aws)
    contract.succeed(module, {**PARAMS, "state": "absent"})
    assert contract.succeed(module, {**PARAMS, "state": "absent"}).result["changed"] is False
    contract.refuse(module, {**PARAMS, "restore": False}, "pending deletion", "restore")
    contract.converge(module, PARAMS)
    assert value_of(aws) == before


def test_a_restored_secret_also_gets_its_missing_keys(aws):
    contract.succeed(module, PARAMS)
    before = value_of(aws)
    contract.succeed(module, {**PARAMS, "state": "absent"})
    contract.succeed(module, {**PARAMS, "keys": {"password": {}, "token": {}}})
    assert value_of(aws)["password"] == before["password"]
    assert len(value_of(aws)["token"]) == 48


def test_another_stacks_secret_is_left_alone(aws):
    contract.succeed(module, PARAMS)
    other = {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}
    contract.refuse(module, other, "'blog'", "'shop'")
    contract.refuse(module, {**other, "state": "absent"}, "'blog'", "'shop'")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys": {"password": {"length": 4}}}, ["keys.password.length", "4", "8 to 1024"]),
        ({"keys": {"password": {"size": 40}}}, ["keys.password", "size"]),
        ({"keys": {"password": {"charset": "kanji"}}}, ["keys.password", "kanji", "alphanumeric"]),
        ({"keys": {"username": {}}}, ["username", "both"]),
        ({"recovery_window": 3}, ["recovery_window", "3", "7 to 30"]),
        ({"description": "(known after apply)"}, ["known after apply", "check mode only"]),
    ],
)
def test_refuses_before_any_write(aws, change, words):
    contract.refuse(module, {**PARAMS, **change}, *words)


def test_a_value_that_is_not_an_object_is_refused(aws):
    aws("secretsmanager").create_secret(Name=PARAMS["name"], SecretString="just text")
    contract.refuse(module, PARAMS, "not a JSON object", PARAMS["name"])


def version_of(aws, stage):
    found = aws("secretsmanager").get_secret_value(SecretId=PARAMS["name"], VersionStage=stage)
    return json.loads(found["SecretString"]), found["VersionId"]


def test_a_rotation_keeps_the_former_version(aws):
    """Both values are readable, literals and foreign keys stay, and check mode predicts it without a call."""
    first = contract.succeed(module, PARAMS)
    old, old_version = version_of(aws, "AWSCURRENT")
    rotating = {**PARAMS, "rotate": True}
    predicted = contract.succeed(module, rotating, check=True)
    rotated = contract.succeed(module, rotating)
    assert rotated.writing == ["secretsmanager:PutSecretValue"]
    assert predicted.result["actions"] == rotated.result["actions"] and rotated.result["changed"] is True
    new, new_version = version_of(aws, "AWSCURRENT")
    assert version_of(aws, "AWSPREVIOUS") == (old, old_version)
    assert new["password"] != old["password"] and new["username"] == old["username"]
    assert (first.facts["version_id"], rotated.facts["version_id"]) == (old_version, new_version)
    text = json.dumps([predicted.result, rotated.result])
    assert new["password"] not in text and old["password"] not in text
    assert contract.succeed(module, PARAMS).result["changed"] is False


def test_a_rotation_that_is_killed_has_happened_or_not(aws):
    """It is one call: nothing in between can be left behind."""
    contract.succeed(module, PARAMS)
    before = version_of(aws, "AWSCURRENT")
    with pytest.raises(contract.Killed, match="PutSecretValue"):
        contract.run(module, {**PARAMS, "rotate": True}, kill_before=0)
    assert version_of(aws, "AWSCURRENT") == before
    stages = aws("secretsmanager").describe_secret(SecretId=PARAMS["name"])["VersionIdsToStages"]
    assert stages == {before[1]: ["AWSCURRENT"]}


def test_a_secret_that_is_not_there_is_created_and_not_rotated(aws):
    created = contract.succeed(module, {**PARAMS, "rotate": True})
    assert created.writing == ["secretsmanager:CreateSecret"]
    contract.refuse(module, {**PARAMS, "keys": {}, "rotate": True}, "rotate", "keys is empty")


def test_tags_are_purged_only_on_request(aws):
    contract.succeed(module, {**PARAMS, "tags": {**PARAMS["tags"], "owner": "me"}})
    assert contract.succeed(module, PARAMS).result["changed"] is False
    contract.converge(module, {**PARAMS, "purge_tags": True})
    tags = {tag["Key"] for tag in aws("secretsmanager").describe_secret(SecretId=PARAMS["name"])["Tags"]}
    assert tags == {"Name", "wordpress_ha:stack"}


SEVERAL = {
    "secrets": {
        "blog/salts": {"keys": {"AUTH_KEY": {"length": 64}}},
        "blog/origin": {"keys": {"header_value": {}}, "tags": {"wordpress_ha:role": "edge"}},
    },
    "tags": {"wordpress_ha:stack": "blog"},
    "recovery_window": 0,
}


def test_several_keep_the_contract(aws):
    changed = {**SEVERAL["secrets"], "blog/salts": {"keys": {"AUTH_KEY": {"length": 64}}, "description": "Salts"}}
    contract.keep(
        module,
        SEVERAL,
        {**SEVERAL, "secrets": changed},
        left=lambda: aws("secretsmanager").list_secrets()["SecretList"],
    )


def test_several_survive_a_kill_between_any_two_calls():
    assert contract.survive_kills(module, SEVERAL) == 4


def test_several_have_results_and_tags_of_their_own(aws):
    outcome = contract.succeed(module, SEVERAL)
    assert outcome.facts["secrets"]["blog/origin"]["keys"] == ["header_value"]
    tags = aws("secretsmanager").describe_secret(SecretId="blog/origin")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "Name": "blog/origin",
        "wordpress_ha:role": "edge",
        "wordpress_ha:stack": "blog",
    }
    again = contract.succeed(module, SEVERAL)
    assert not again.writing and [str(call) for call in again.calls].count("secretsmanager:DescribeSecret") == 2


def test_several_refuse_what_one_refuses(aws):
    twice = {"secrets": {"blog/a": {"keys": {"x": {}}}, "blog/b": {"keys": {"x": {"length": 3}}}}}
    contract.refuse(module, twice, "secrets.blog/b", "keys.x.length is 3")
    contract.refuse(module, {**PARAMS, **SEVERAL}, "secrets")

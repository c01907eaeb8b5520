# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloudfront_function: written to one stage, published to the other, each only when it differs."""

from __future__ import annotations

import json
from typing import Any

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import named
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_function as module

CODE = "function handler(event) {\n  return event.request;\n}\n"
OTHER = "function handler(event) {\n  var request = event.request;\n  return request;\n}\n"
PARAMS = {"name": "blog-request", "code": CODE, "comment": "Requests"}
STORE = "arn:aws:cloudfront::123456789012:key-value-store/0"


def code_of(emulated: Any, stage: str) -> str:
    code = emulated("cloudfront").get_function(Name=PARAMS["name"], Stage=stage)["FunctionCode"]
    return (code if isinstance(code, bytes) else code.read()).decode()


def meddle(emulated: Any, code: str = OTHER) -> None:
    """Write DEVELOPMENT behind the module's back."""
    client = emulated("cloudfront")
    found = client.describe_function(Name=PARAMS["name"], Stage="DEVELOPMENT")
    client.update_function(
        Name=PARAMS["name"],
        IfMatch=found["ETag"],
        FunctionConfig=found["FunctionSummary"]["FunctionConfig"],
        FunctionCode=code.encode(),
    )


def test_keeps_the_contract(emulated: Any) -> None:
    contract.keep(
        module,
        PARAMS,
        {**PARAMS, "code": OTHER, "comment": "Other", "key_value_stores": [STORE]},
        left=lambda: emulated("cloudfront").list_functions()["FunctionList"].get("Items"),
    )


def test_survives_kills(emulated: Any) -> None:
    assert contract.survive_kills(module, PARAMS) == 3


def test_goes_on_between_writing_and_publishing(emulated: Any) -> None:
    contract.succeed(module, PARAMS)
    with pytest.raises(contract.Killed, match="PublishFunction"):
        contract.run(module, {**PARAMS, "code": OTHER}, kill_before=1)
    assert (code_of(emulated, "DEVELOPMENT"), code_of(emulated, "LIVE")) == (OTHER, CODE)
    assert contract.succeed(module, {"name": PARAMS["name"], "state": "gathered"}).facts["published"] is False
    outcome = contract.converge(module, {**PARAMS, "code": OTHER})
    assert outcome.writing == ["cloudfront:PublishFunction"]
    assert code_of(emulated, "LIVE") == OTHER


def test_check_mode_predicts_the_request_byte_for_byte(emulated: Any) -> None:
    steps = [
        ("CreateFunction", PARAMS),
        ("UpdateFunction", {**PARAMS, "code": OTHER}),
        ("UpdateFunction", {**PARAMS, "publish": False}),
        ("PublishFunction", PARAMS),
        ("DeleteFunction", {**PARAMS, "state": "absent"}),
    ]
    for action, wanted in steps:
        predicted = contract.succeed(module, wanted, check=True)
        real = contract.succeed(module, wanted)
        sent = next(call for call in real.calls if call.writing)
        assert sent.action == action
        shown = {name: value.decode() if isinstance(value, bytes) else value for name, value in sent.params.items()}
        assert json.dumps(predicted.result["request"]) == json.dumps(shown) == json.dumps(real.result["request"])


def test_unpublished_stays_unpublished(emulated: Any) -> None:
    outcome = contract.converge(module, {**PARAMS, "publish": False})
    assert outcome.writing == ["cloudfront:CreateFunction"]
    assert outcome.facts["published"] is False
    assert contract.converge(module, PARAMS).writing == ["cloudfront:PublishFunction"]


def test_an_unset_option_is_left_alone(emulated: Any) -> None:
    contract.succeed(module, {**PARAMS, "key_value_stores": [STORE]})
    only = contract.succeed(module, {"name": PARAMS["name"]})
    assert only.result["changed"] is False
    contract.converge(module, {"name": PARAMS["name"], "comment": "Other"})
    assert code_of(emulated, "LIVE") == CODE
    found = emulated("cloudfront").describe_function(Name=PARAMS["name"], Stage="LIVE")["FunctionSummary"]
    assert found["FunctionConfig"]["KeyValueStoreAssociations"]["Items"] == [{"KeyValueStoreARN": STORE}]
    assert found["FunctionConfig"]["Comment"] == "Other"


def test_the_diff_shows_lines(emulated: Any) -> None:
    contract.succeed(module, PARAMS)
    outcome = contract.succeed(module, {**PARAMS, "code": OTHER}, check=True)
    assert outcome.result["diff"]["after"]["function/blog-request"] == {"code": OTHER.split("\n")}


def test_a_stale_etag_is_read_and_planned_anew(emulated: Any, monkeypatch: Any) -> None:
    """Whoever writes before our write or before our publishing: what goes live is what was asked for."""
    contract.succeed(module, PARAMS)
    send = named.while_current
    meddled: list[str] = []

    def while_current(what: str, write: Any, again: Any) -> Any:
        meddled.append(what)
        if len(meddled) < 3:
            meddle(emulated, f"// {len(meddled)}\n{CODE}")
        return send(what, write, again)

    monkeypatch.setattr(named, "while_current", while_current)
    contract.succeed(module, {**PARAMS, "code": OTHER})
    assert len(meddled) == 3, "written, published, and written again in between"
    assert (code_of(emulated, "DEVELOPMENT"), code_of(emulated, "LIVE")) == (OTHER, OTHER)


def test_a_stale_etag_while_removing(emulated: Any, monkeypatch: Any) -> None:
    contract.succeed(module, PARAMS)
    send = named.while_current

    def while_current(what: str, write: Any, again: Any) -> Any:
        meddle(emulated)
        return send(what, write, again)

    monkeypatch.setattr(named, "while_current", while_current)
    contract.succeed(module, {**PARAMS, "state": "absent"})
    assert contract.succeed(module, {**PARAMS, "state": "gathered"}).facts["arn"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"code": CODE + "//" + "x" * 10240}, ["code", "10240", "bytes"]),
        ({"code": "var x = 1;"}, ["code", "handler"]),
        ({"code": None}, ["code is not set", "blog-request"]),
        ({"name": "blog request"}, ["name", "blog request"]),
        ({"comment": "(known after apply)"}, ["check mode only"]),
    ],
)
def test_refuses_before_any_write(emulated: Any, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {**PARAMS, **change}, *words)


def test_the_size_is_counted_in_bytes(emulated: Any) -> None:
    """5,000 letters of two bytes fit, 5,200 do not; both are below 10,240 letters."""
    contract.succeed(module, {**PARAMS, "code": f"{CODE}//{'ü' * 5000}"})
    contract.refuse(module, {**PARAMS, "code": f"{CODE}//{'ü' * 5200}"}, "10240")


def test_what_is_in_use_is_not_removed(emulated: Any, monkeypatch: Any) -> None:
    arn = contract.succeed(module, PARAMS).facts["arn"]
    origin = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    made = emulated("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "one",
            "Comment": "the blog",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [{"Id": "site", "DomainName": "www.example.org", "CustomOriginConfig": origin}],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "site",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                "FunctionAssociations": {
                    "Quantity": 1,
                    "Items": [{"EventType": "viewer-request", "FunctionARN": arn}],
                },
            },
        }
    )
    identity = made["Distribution"]["Id"]
    contract.refuse(module, {**PARAMS, "state": "absent"}, "in use", identity, "default_behavior.functions")
    # The same when AWS is the first to notice.
    refuse = named.refuse_used
    asked: list[str] = []

    def late(*given: Any) -> None:
        asked.append(given[1])
        if len(asked) > 1:
            refuse(*given)

    monkeypatch.setattr(named, "refuse_used", late)
    outcome = contract.run(module, {**PARAMS, "state": "absent"})
    assert outcome.failed
    assert identity in outcome.result["msg"]

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of planning a distribution, for any distribution and any wish."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import current, desired, model, plan

# Every example is a whole distribution.
settings.register_profile("distributions", max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
few = settings.get_profile("distributions")

ORIGINS = ("site", "media", "api")
PATTERNS = ("wp-admin/*", "wp-login.php", "wp-content/*", "*.php", "feed/*", "default")
POLICIES = ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6")
NAME = "blog"


def subset(*values: Any, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least)


def options(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Options as a module hands them over: what is not set is there as None."""
    return st.fixed_dictionaries({**required, **{key: st.none() | each for key, each in optional.items()}})


def unique(entries: st.SearchStrategy[dict[str, Any]], key: str, least: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(entries, unique_by=lambda entry: entry[key], min_size=least, max_size=4)


functions = unique(
    options({"event": st.sampled_from(["viewer-request", "viewer-response"]), "function": st.sampled_from("ab")}, {}),
    "event",
)
legacy = options(
    {},
    {
        "query_string": st.booleans(),
        "query_string_cache_keys": subset("s", "p"),
        "cookies": st.sampled_from(["none", "all"]),
        "headers": subset("Host", "Origin"),
    },
)
methods = st.sampled_from(model.METHODS).map(list)
common = {
    "viewer_protocol_policy": st.sampled_from(["allow-all", "https-only"]),
    "allowed_methods": methods,
    "cached_methods": st.sampled_from(desired.CACHED_METHODS).map(list),
    "compress": st.booleans(),
    "origin_request_policy": st.sampled_from(["", *POLICIES]),
    "response_headers_policy": st.sampled_from(["", *POLICIES]),
    "functions": functions,
    "trusted_key_groups": subset("k1", "k2"),
    "realtime_log_config_arn": st.sampled_from(["", "arn:log"]),
    "smooth_streaming": st.booleans(),
    "grpc": st.booleans(),
}
target = {"target_origin": st.sampled_from(ORIGINS)}
modern = options({**target, "cache_policy": st.sampled_from(POLICIES)}, common)
old = options(
    {**target, "forwarded_values": legacy},
    {**common, "origin_request_policy": st.none(), "default_ttl": st.integers(0, 9)},
)
behavior = modern | old
headers = unique(options({"name": st.sampled_from(["X-A", "X-B"]), "value": st.sampled_from("ab")}, {}), "name")
origin_common = {
    "path": st.sampled_from(["", "/a"]),
    "connection_attempts": st.integers(1, 3),
    "origin_shield_region": st.sampled_from(["", "eu-west-1"]),
    "custom_headers": headers,
    "read_timeout": st.integers(1, 60),
}
custom = {
    "http_port": st.integers(80, 82),
    "protocol_policy": st.sampled_from(["http-only", "match-viewer"]),
    "ssl_protocols": subset("TLSv1.1", "TLSv1.2", least=1),
}
typed = (
    options({"type": st.just("custom")}, {**origin_common, **custom})
    | options({"type": st.just("s3")}, {**origin_common, "origin_access_control": st.sampled_from(["", "E1234567890"])})
    | options({"type": st.just("vpc"), "vpc_origin": st.sampled_from(["vo_1", "vo_2"])}, origin_common)
)
hosts = st.fixed_dictionaries({"domain_name": st.sampled_from(["a.example.org", "b.example.org"])})


def origin(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda host, rest: {"id": name, **host, **rest}, hosts, typed)


def patterned(entry: dict[str, Any], pattern: str) -> dict[str, Any]:
    return {"path_pattern": pattern, **entry}


def behaviors(least: int = 0) -> st.SearchStrategy[Any]:
    return unique(st.builds(patterned, behavior, st.sampled_from(PATTERNS)), "path_pattern", least)


errors = unique(
    options({"error_code": st.sampled_from([403, 404, 500])}, {"caching_min_ttl": st.integers(0, 9)}), "error_code"
)
groups = unique(
    options(
        {"id": st.sampled_from(["g1", "g2"]), "members": st.permutations(["site", "media"])},
        {"status_codes": subset(403, 404, 500, least=1)},
    ),
    "id",
)
whole = {
    "origins": st.permutations(ORIGINS).flatmap(lambda names: st.tuples(*(origin(name) for name in names)).map(list)),
    "default_behavior": behavior,
    "behaviors": behaviors(),
    "enabled": st.booleans(),
    "comment": st.sampled_from(["", "a"]),
    "aliases": subset("a.example.org", "b.example.org", "c.example.org"),
    "certificate_arn": st.sampled_from(["", "arn:1", "arn:2"]),
    "price_class": st.sampled_from(["PriceClass_100", "PriceClass_All"]),
    "http_version": st.sampled_from(["http2", "http3"]),
    "web_acl_arn": st.sampled_from(["", "arn:acl"]),
    "logging": options({"bucket": st.just("logs.s3.amazonaws.com")}, {"prefix": st.sampled_from("ab")})
    | st.just({"bucket": ""}),
    "geo_restriction": st.sampled_from(
        [{"type": "none", "locations": []}, {"type": "whitelist", "locations": ["DE", "AT"]}]
    ),
    "custom_error_responses": errors,
    "origin_groups": groups,
}
complete = st.fixed_dictionaries(whole)
wishes = options({}, whole)


def resolved(_kind: str, given_name: str, _path: str) -> str:
    return given_name


def wanted(given_options: dict[str, Any]) -> model.Normal:
    return desired.wanted(given_options, resolved)


def made(given_options: dict[str, Any]) -> model.Wire:
    """The distribution that options describe completely."""
    return plan.plan(None, wanted(given_options), NAME, caller_reference="r").after


def asked(config: model.Wire, wish: dict[str, Any], **how: Any) -> plan.Plan:
    return plan.plan(config, wanted(wish), NAME, **how)


def shuffled(value: Any, draw: Any, path: str = "") -> Any:
    """The same options with every list whose order says nothing in another order."""
    if isinstance(value, dict):
        return {key: shuffled(item, draw, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [shuffled(item, draw) for item in value]
        return items if path in ("behaviors", "members") else draw(st.permutations(items))
    return value


UNKNOWN_KEYS = {
    "FutureSetting": {"Enabled": True},
    "TrustedSigners": {"Enabled": True, "Quantity": 1, "Items": ["self"]},
}


def with_unknown(config: model.Wire) -> model.Wire:
    """A hand-made distribution: settings that no option stands for, everywhere."""
    result = copy.deepcopy(config)
    for record in [
        result,
        result["DefaultCacheBehavior"],
        *model.items(result["CacheBehaviors"]),
        *model.items(result["Origins"]),
    ]:
        record.update(copy.deepcopy(UNKNOWN_KEYS))
    result["Staging"] = False
    return result


def stripped(config: Any) -> Any:
    """A configuration without what ``with_unknown`` adds."""
    if isinstance(config, dict):
        return {key: stripped(value) for key, value in config.items() if key not in (*UNKNOWN_KEYS, "Staging")}
    return [stripped(item) for item in config] if isinstance(config, list) else config


@few
@given(complete)
def test_nothing_is_planned_for_what_is_already_so(options: dict[str, Any]) -> None:
    config = made(options)
    again = asked(config, options)
    assert again.empty and again.differences == []
    assert json.dumps(again.after) == json.dumps(config)


@few
@given(complete, wishes)
def test_a_plan_leads_to_what_is_wanted_and_then_is_empty(options: dict[str, Any], wish: dict[str, Any]) -> None:
    before = made(options)
    first = asked(before, wish)
    again = asked(first.after, wish)
    assert again.empty and again.differences == []
    assert first.empty == (not first.differences), "the differences do not tell what is written"
    found = current.options(first.after)
    for option in ("enabled", "comment", "price_class", "http_version", "web_acl_arn"):
        assert wish[option] is None or found[option] == wish[option]
    if wish["aliases"] is not None:
        assert found["aliases"] == sorted(wish["aliases"])
    if wish["behaviors"] is not None:
        assert [entry["path_pattern"] for entry in found["behaviors"]] == [
            entry["path_pattern"] for entry in wish["behaviors"]
        ]
    if wish["origins"] is not None:
        assert {entry["id"] for entry in found["origins"]} == {entry["id"] for entry in wish["origins"]}


@few
@given(complete, complete)
def test_a_complete_wish_overrides_everything_it_names(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Applying plan(a, b) to a gives b, as far as b says something."""
    after = current.normal(asked(made(one), other).after, model.DISTRIBUTION)
    assert _agrees(after, wanted(other))


def _agrees(found: Any, wish: Any) -> bool:
    """Whether all that is wished for is so; dictionaries of wishes are partial."""
    if isinstance(wish, dict):
        return isinstance(found, dict) and all(key in found and _agrees(found[key], each) for key, each in wish.items())
    if isinstance(wish, list) and isinstance(found, list):
        return len(found) == len(wish) and all(_agrees(*pair) for pair in zip(found, wish, strict=True))
    return bool(found == wish)


@few
@given(complete, wishes, st.data())
def test_the_order_of_sets_says_nothing(options: dict[str, Any], wish: dict[str, Any], data: Any) -> None:
    config = made(options)
    assert asked(config, shuffled(options, data.draw)).empty
    one, other = asked(config, wish), asked(config, shuffled(wish, data.draw))
    assert one.differences == other.differences or {d.key: d for d in one.differences} == {
        d.key: d for d in other.differences
    }


@few
@given(complete, behaviors(2), st.data())
def test_the_order_of_behaviors_says_something(options: dict[str, Any], listed: list[Any], data: Any) -> None:
    options["behaviors"] = listed
    turned = data.draw(st.permutations(listed))
    assume(turned != listed)
    config = made(options)
    moved = asked(config, {"behaviors": turned})
    assert [difference.key for difference in moved.differences] == ["order/behaviors"]
    assert [item["PathPattern"] for item in model.items(moved.after["CacheBehaviors"])] == [
        entry["path_pattern"] for entry in turned
    ]


@few
@given(complete, wishes)
def test_what_we_do_not_know_survives(options: dict[str, Any], wish: dict[str, Any]) -> None:
    config = made(options)
    strange = with_unknown(config)
    after = asked(strange, wish).after
    known = {item["Id"] for item in model.items(config["Origins"])}
    patterns = {item["PathPattern"] for item in model.items(config["CacheBehaviors"])}
    records = [after, after["DefaultCacheBehavior"]]
    records += [item for item in model.items(after["Origins"]) if item["Id"] in known]
    records += [item for item in model.items(after["CacheBehaviors"]) if item["PathPattern"] in patterns]
    for record in records:
        assert {key: record[key] for key in UNKNOWN_KEYS} == UNKNOWN_KEYS
    assert stripped(after) == stripped(asked(config, wish).after), "what we do not know changed what is written"


@few
@given(complete, wishes)
def test_only_what_is_asked_for_changes(options: dict[str, Any], wish: dict[str, Any]) -> None:
    config = made(options)
    touched = {field.steps[0] for field in model.DISTRIBUTION if wish.get(field.option) is not None}
    after = asked(config, wish).after
    for key, value in config.items():
        assert key in touched or after[key] == value


@few
@given(complete)
def test_what_is_shown_can_be_asked_for(options: dict[str, Any]) -> None:
    """A distribution written down as options, as the info module returns them, is left as it is."""
    config = made(options)
    shown = current.options(config)
    for entry in shown["origins"]:
        entry["custom_headers"] = None  # their values are masked
    if not shown["certificate_arn"]:
        shown["minimum_protocol_version"] = None
    assert asked(config, shown).empty


@few
@given(complete)
def test_quantities_are_right(options: dict[str, Any]) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            if "Quantity" in value:
                assert value["Quantity"] == len(value.get("Items", []))
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)

    check(made(options))


@few
@given(complete, behaviors(1), st.booleans(), st.data())
def test_single_behaviors_leave_the_others_alone(
    options: dict[str, Any], entries: list[dict[str, Any]], placed: bool, data: Any
) -> None:
    config = made(options)
    present = [item["PathPattern"] for item in model.items(config["CacheBehaviors"])]
    anchors = [pattern for pattern in present if pattern not in [entry["path_pattern"] for entry in entries]]
    if placed and anchors:
        for entry in entries:
            entry[data.draw(st.sampled_from(["before", "after"]))] = data.draw(st.sampled_from(anchors))
    first = asked(config, {"behaviors": entries}, purge=False)
    order = [item["PathPattern"] for item in model.items(first.after["CacheBehaviors"])]
    assert [pattern for pattern in order if pattern in anchors] == anchors
    assert set(order) == {*present, *(entry["path_pattern"] for entry in entries)}
    untouched = {item["PathPattern"]: item for item in model.items(config["CacheBehaviors"])}
    for item in model.items(first.after["CacheBehaviors"]):
        assert item["PathPattern"] not in anchors or item == untouched[item["PathPattern"]]
    for entry in entries:
        if entry.get("before"):
            assert order.index(entry["path_pattern"]) < order.index(entry["before"])
        if entry.get("after"):
            assert order.index(entry["path_pattern"]) > order.index(entry["after"])
    assert asked(first.after, {"behaviors": entries}, purge=False).empty


@few
@given(complete, st.sets(st.sampled_from(PATTERNS)))
def test_removed_behaviors_are_gone_and_nothing_else(options: dict[str, Any], removed: set[str]) -> None:
    config = made(options)
    after = plan.plan(config, {}, NAME, purge=False, removed=removed).after
    kept = [item for item in model.items(config["CacheBehaviors"]) if item["PathPattern"] not in removed]
    assert model.items(after["CacheBehaviors"]) == kept
    assert {**after, "CacheBehaviors": 0} == {**config, "CacheBehaviors": 0}


@few
@given(complete, wishes)
def test_differences_hold_no_values_of_headers(options: dict[str, Any], wish: dict[str, Any]) -> None:
    for entry in [*options["origins"], *(wish["origins"] or [])]:
        entry["custom_headers"] = [{"name": "X-Secret", "value": f"secret of {entry['path']}"}]
    first = asked(made(options), wish)
    text = json.dumps([[d.before, d.after] for d in first.differences]) + json.dumps(current.options(first.after))
    assert "secret of" not in text
    assert "secret of" not in json.dumps(current.masked_wire(first.after))


@pytest.mark.parametrize("before", ["secret", "other"])
def test_another_value_of_a_header_is_told_but_not_shown(before: str) -> None:
    behavior_options = {"target_origin": "site", "cache_policy": POLICIES[0]}
    header = {"name": "X-Origin-Verify", "value": "secret"}

    def options_with(value: str) -> dict[str, Any]:
        entry = {"id": "site", "domain_name": "a.example.org", "custom_headers": [{**header, "value": value}]}
        return {"origins": [entry], "default_behavior": behavior_options}

    differences = asked(made(options_with(before)), options_with("secret")).differences
    if before == "secret":
        assert differences == []
    else:
        (difference,) = differences
        assert difference.before == {"custom_headers": {"X-Origin-Verify": "********"}}
        assert difference.after == {"custom_headers": {"X-Origin-Verify": "******** (another value)"}}

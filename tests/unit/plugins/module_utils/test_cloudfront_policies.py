# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of converting policies between options and CloudFront's shape, for any options."""

from __future__ import annotations

import copy
import random
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import policies

MODEL = botocore.session.get_session().get_service_model("cloudfront")
NAMES = st.lists(st.sampled_from(["Accept", "accept", "Host", "X-A", "x-b", "*"]), min_size=1, max_size=4)
FLAGS, NUMBERS, TEXTS = st.booleans(), st.integers(0, 9), st.text("ab/", min_size=1, max_size=3)


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of options; an option may also be None, as Ansible gives those that are unset."""
    return st.fixed_dictionaries({}, optional={name: st.none() | value for name, value in fields.items()})


def choice(plain: list[str], named: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.fixed_dictionaries({"behavior": st.sampled_from(plain)})
    return one | st.fixed_dictionaries({"behavior": st.sampled_from(named), "names": NAMES})


ALL = ["none", "all"]
SOME = ["whitelist", "allExcept"]
COMMON = {"comment": st.text("ab", max_size=2), "cookies": choice(ALL, SOME), "query_strings": choice(ALL, SOME)}
VALUED = st.fixed_dictionaries({"value": TEXTS}, optional={"override": FLAGS})
HEADER = st.fixed_dictionaries(
    {"name": st.sampled_from(["X-A", "X-B", "X-C"]), "value": TEXTS}, optional={"override": FLAGS}
)
CORS = st.fixed_dictionaries(
    {"allow_origins": NAMES},
    optional={
        "allow_methods": st.lists(st.sampled_from(["GET", "POST", "ALL"]), min_size=1),
        "allow_headers": NAMES,
        "expose_headers": NAMES | st.just([]),
        "allow_credentials": FLAGS,
        "max_age": NUMBERS,
        "override": FLAGS,
    },
)
OPTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "cache_policy": maybe(
        **COMMON,
        headers=choice(["none"], ["whitelist"]),
        gzip=FLAGS,
        brotli=FLAGS,
        default_ttl=NUMBERS,
        max_ttl=NUMBERS,
    ),
    "origin_request_policy": maybe(
        **COMMON, headers=choice(["none", "allViewer"], ["whitelist", "allExcept", "allViewerAndWhitelistCloudFront"])
    ),
    "response_headers_policy": maybe(
        comment=st.text("ab", max_size=2),
        cors=CORS | st.just({}),
        security_headers=maybe(
            strict_transport_security=maybe(max_age=NUMBERS, preload=FLAGS),
            content_type_options=maybe(override=FLAGS),
            frame_options=VALUED | st.just({}),
            content_security_policy=VALUED,
            xss_protection=maybe(protection=FLAGS, mode_block=FLAGS),
        ),
        custom_headers=st.lists(HEADER, max_size=3, unique_by=lambda header: header["name"]),
        remove_headers=st.lists(st.sampled_from(["Server", "X-P"]), max_size=2, unique=True),
        server_timing=maybe(enabled=FLAGS, sampling_rate=st.floats(0, 100)),
    ),
    "origin_access_control": maybe(description=st.text("ab"), signing_behavior=st.sampled_from(["always", "never"])),
    "vpc_origin": maybe(http_port=NUMBERS, ssl_protocols=st.lists(st.sampled_from(["TLSv1", "TLSv1.2"]), min_size=1)),
}
BASE = {"name": "a-name", "endpoint_arn": "arn:aws:elb", "min_ttl": 0}
pairs = st.sampled_from(sorted(OPTIONS)).flatmap(
    lambda kind: st.tuples(st.just(policies.KINDS[kind]), OPTIONS[kind], OPTIONS[kind])
)


def made(kind: policies.Kind, options: dict[str, Any]) -> policies.Wire:
    return policies.patched(kind, None, {**BASE, **options})


def shuffled(value: Any, seed: int) -> Any:
    """The same options with every list in another order, and names in another case where CloudFront ignores it."""
    if isinstance(value, dict):
        return {name: shuffled(item, seed) for name, item in value.items()}
    if isinstance(value, list):
        return random.Random(seed).sample([shuffled(item, seed) for item in value], len(value))
    return value


@given(pairs)
def test_a_new_configuration_is_one_that_botocore_takes(pair: Any) -> None:
    kind, options, _other = pair
    report = ParamValidator().validate(made(kind, options), MODEL.shape_for(kind.config))
    assert not report.has_errors(), report.generate_report()


@given(pairs)
def test_what_is_written_is_read_back(pair: Any) -> None:
    """Writing what was read changes nothing, and writing the same options again does not either."""
    kind, options, _other = pair
    wire = made(kind, options)
    assert policies.patched(kind, wire, policies.options(kind, wire)) == wire
    assert policies.patched(kind, wire, {**BASE, **options}) == wire
    assert policies.options(kind, made(kind, policies.options(kind, wire))) == policies.options(kind, wire)


@given(pairs)
def test_given_options_win_and_the_others_stay(pair: Any) -> None:
    kind, options, other = pair
    before = policies.options(kind, made(kind, options))
    after = policies.options(kind, policies.patched(kind, made(kind, options), other))
    alone = policies.options(kind, made(kind, other))
    for name, value in after.items():
        if other.get(name) is None:
            assert value == before[name], name
        elif name in ("cookies", "query_strings", "headers", "custom_headers", "comment", "gzip"):
            assert value == alone[name] or name == "custom_headers"


@given(pairs, st.integers(0, 3))
def test_the_order_of_sets_means_nothing(pair: Any, seed: int) -> None:
    kind, options, _other = pair
    wire = made(kind, options)
    assert policies.patched(kind, wire, shuffled({**BASE, **options}, seed)) == wire
    assert made(kind, shuffled(options, seed)).keys() == wire.keys()


@given(pairs)
def test_what_we_do_not_know_survives(pair: Any) -> None:
    """A field that AWS may add one day stays, at every level that is not taken away as a whole."""
    kind, options, other = pair
    wire = made(kind, options)
    known = policies.patched(kind, wire, other)
    strange = policies.patched(kind, _with_strangers(wire), other)
    assert _without_strangers(strange) == known
    assert strange["Stranger"] == "kept"
    for name in wire:
        if isinstance(wire[name], dict) and name in known:
            assert strange[name]["Stranger"] == "kept", name


def _with_strangers(wire: Any) -> Any:
    if isinstance(wire, dict):
        return {"Stranger": "kept", **{name: _with_strangers(value) for name, value in wire.items()}}
    if isinstance(wire, list):
        return [_with_strangers(value) for value in wire]
    return wire


def _without_strangers(wire: Any) -> Any:
    if isinstance(wire, dict):
        return {name: _without_strangers(value) for name, value in wire.items() if name != "Stranger"}
    if isinstance(wire, list):
        return [_without_strangers(value) for value in wire]
    return wire


@given(pairs)
def test_nothing_given_is_touched(pair: Any) -> None:
    kind, options, other = pair
    wire = made(kind, options)
    before = copy.deepcopy((wire, other))
    policies.patched(kind, wire, other)
    assert (wire, other) == before


def test_header_names_are_one_whatever_their_case() -> None:
    wire = made(policies.CACHE, {"headers": {"behavior": "whitelist", "names": ["host", "Accept"]}})
    again = policies.patched(policies.CACHE, wire, {"headers": {"names": ["HOST", "accept", "Host"]}})
    assert again == wire
    key = wire["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"]
    assert key == {"Quantity": 2, "Items": ["Accept", "host"]}


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("cache_policy", {"headers": {"behavior": "whitelist"}}, ["headers.names", "whitelist", "name at least one"]),
        ("cache_policy", {"cookies": {"names": ["a"]}}, ["cookies.names", "'none'", "takes no names"]),
        ("response_headers_policy", {"cors": {"max_age": 3}}, ["cors.allow_origins", "Set it"]),
        ("response_headers_policy", {"cors": {"allow_origins": []}}, ["cors.allow_origins is []"]),
        (
            "response_headers_policy",
            {"security_headers": {"frame_options": {"override": True}}},
            ["frame_options.value"],
        ),
        ("response_headers_policy", {"custom_headers": [{"name": "X-A"}]}, ["custom_headers[X-A].value"]),
        (
            "response_headers_policy",
            {"custom_headers": [{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]},
            ["custom_headers", "'x-a' twice"],
        ),
        ("vpc_origin", {"endpoint_arn": None}, ["endpoint_arn is not set"]),
    ],
)
def test_says_what_cannot_be_written(kind: str, options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(policies.Invalid) as refusal:
        made(policies.KINDS[kind], options)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "path", "option"),
    [
        ("cache_policy", ("MinTTL",), "min_ttl"),
        (
            "cache_policy",
            ("ParametersInCacheKeyAndForwardedToOrigin", "HeadersConfig", "Headers", 1),
            "headers.names[1]",
        ),
        ("origin_request_policy", ("CookiesConfig", "CookieBehavior"), "cookies.behavior"),
        ("response_headers_policy", ("CorsConfig", "AccessControlAllowOrigins"), "cors.allow_origins"),
        ("response_headers_policy", ("CustomHeadersConfig", 2, "Header"), "custom_headers[2]"),
        (
            "response_headers_policy",
            ("SecurityHeadersConfig", "FrameOptions", "FrameOption"),
            "security_headers.frame_options.value",
        ),
        ("cache_policy", ("Stranger", 0), "Stranger.0"),
    ],
)
def test_a_path_of_cloudfront_reads_as_an_option(kind: str, path: policies.Path, option: str) -> None:
    assert policies.option_path(policies.KINDS[kind], path) == option


@pytest.mark.parametrize(
    ("given_ttls", "expected"),
    [
        ({}, (0, 86400, 31536000)),
        ({"default_ttl": 600}, (0, 600, 31536000)),
        ({"max_ttl": 0}, (0, 0, 0)),
        ({"min_ttl": 90000}, (90000, 90000, 31536000)),
        ({"min_ttl": 5, "default_ttl": 6, "max_ttl": 7}, (5, 6, 7)),
    ],
)
def test_ttls_of_a_new_policy_follow_from_those_given(given_ttls: dict[str, int], expected: tuple[int, ...]) -> None:
    assert tuple(policies.new_ttls(given_ttls, None).values()) == expected
    assert policies.new_ttls(given_ttls, {"MinTTL": 0}) == {}


def test_mentions_are_found_wherever_they_stand() -> None:
    wire = {"A": {"Quantity": 1, "Items": [{"Id": "x"}]}, "B": "x", "C": ["y"]}
    assert policies.mentions(wire, "x") == [("A", 0, "Id"), ("B",)]
    assert policies.mentions(wire, "z") == []


@pytest.mark.parametrize(
    ("kind", "wire", "options"),
    [
        ("cache_policy", {"Name": "a"}, {"comment": "", "gzip": False, "cookies": {"behavior": "none"}}),
        ("origin_access_control", {"Name": "a"}, {"description": ""}),
        (
            "response_headers_policy",
            {
                "Name": "a",
                "SecurityHeadersConfig": {"StrictTransportSecurity": {"AccessControlMaxAgeSec": 1, "Override": True}},
                "RemoveHeadersConfig": {"Quantity": 0},
            },
            {
                "security_headers": {"strict_transport_security": {"preload": False, "include_subdomains": False}},
                "remove_headers": [],
                "custom_headers": [],
                "cors": {},
            },
        ),
    ],
)
def test_what_aws_leaves_out_is_no_difference(kind: str, wire: policies.Wire, options: dict[str, Any]) -> None:
    """AWS does not always tell an empty list, an empty text or a false."""
    before = policies.options(policies.KINDS[kind], wire)
    assert policies.options(policies.KINDS[kind], policies.patched(policies.KINDS[kind], wire, options)) == before

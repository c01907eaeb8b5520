# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge's renderers and its place in the topology; what they make of requests is seen in tests/edge."""

from __future__ import annotations

import copy
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordpress_ha_rehearsal.reconciler.config import Config
from wordpress_ha_rehearsal.reconciler.edge import bundle, headers, model, nginx, scripts, vcl
from wordpress_ha_rehearsal.reconciler.engine import EngineError
from wordpress_ha_rehearsal.reconciler.loop import Reconciler
from wordpress_ha_rehearsal.reconciler.planes import cloud, cloudfront, elbv2
from wordpress_ha_rehearsal.reconciler.planner import Observed
from wordpress_ha_rehearsal.reconciler.topology import describe

PORTS = {443: 8443, 80: 8080}
SECRET = 'can"ary $x \\'
BEHAVIOR = {
    "TargetOriginId": "site",
    "ViewerProtocolPolicy": "allow-all",
    "AllowedMethods": {
        "Quantity": 2,
        "Items": ["GET", "HEAD"],
        "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
    },
    "Compress": True,
    "CachePolicyId": "cache",
}
ORIGIN = {
    "Id": "site",
    "DomainName": "origin.example.org",
    "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-Origin-Verify", "HeaderValue": SECRET}]},
    "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "match-viewer"},
}
SHAPE = {
    "id": "E1",
    "domain_name": "D1.cloudfront.net",
    "etag": "tag-1",
    "certificate": {"certificate": "CERT", "chain": "CHAIN", "private_key": "KEY"},
    "config": {
        "Enabled": True,
        "Aliases": {"Quantity": 1, "Items": ["www.example.org"]},
        "Origins": {"Quantity": 1, "Items": [ORIGIN]},
        "OriginGroups": {"Quantity": 0},
        "CacheBehaviors": {"Quantity": 1, "Items": [{**BEHAVIOR, "PathPattern": "wp-admin/*"}]},
        "DefaultCacheBehavior": BEHAVIOR,
        "CustomErrorResponses": {"Quantity": 0},
    },
}
CACHE = {
    "MinTTL": 1,
    "DefaultTTL": 600,
    "MaxTTL": 6000,
    "ParametersInCacheKeyAndForwardedToOrigin": {
        "EnableAcceptEncodingGzip": True,
        "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Items": ["Host", "X-Shape"]}},
        "CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": {"Items": ["wordpress_*"]}},
        "QueryStringsConfig": {"QueryStringBehavior": "all"},
    },
}
CATALOG = {"cache_policies": {"cache": CACHE}}


def view(change=None, catalog=None) -> model.Distribution:
    shape = copy.deepcopy(SHAPE)
    if change:
        change(shape)
    return model.distribution(shape, CATALOG | (catalog or {}))


def made(*views: model.Distribution, previous=()) -> bundle.Bundle:
    return bundle.bundle(views, previous, "10.40.0.2", PORTS)


# -- patterns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("wp-admin/*", "/wp-admin/", True),
        ("/wp-admin/*", "/wp-admin/x/y", True),
        ("wp-admin/*", "/WP-admin/x", False),
        ("wp-admin/*", "/blog/wp-admin/x", False),
        ("*.php", "/a/b.php", True),
        ("/*.php", "/a/b.php", True),
        ("*.php", "/a/b_php", False),
        ("a?c", "/abc", True),
        ("a?c", "/ac", False),
        ("*", "/", True),
        ("a+b(c)/*", "/a+b(c)/d", True),
    ],
)
def test_path_patterns(pattern, path, fits) -> None:
    assert bool(re.search(model.pattern_regex(pattern), path)) is fits


@given(st.text("abAB/?*.+", min_size=1, max_size=8), st.text("abAB/.+", max_size=8))
def test_path_patterns_agree_with_a_naive_reading(pattern: str, rest: str) -> None:
    def fits(signs: str, text: str) -> bool:
        if not signs:
            return not text
        if signs[0] == "*":
            return any(fits(signs[1:], text[at:]) for at in range(len(text) + 1))
        return bool(text) and (signs[0] in ("?", text[0])) and fits(signs[1:], text[1:])

    wanted = pattern if pattern.startswith("*") else "/" + pattern.lstrip("/")
    wanted = wanted if not pattern.lstrip("/").startswith("*") or pattern.startswith("*") else "/" + pattern.lstrip("/")
    assert bool(re.search(model.pattern_regex(pattern), "/" + rest)) == fits(wanted, "/" + rest)


# -- names, changes ------------------------------------------------------------------------------------------------------


def test_names_follow_the_content_so_that_two_generations_can_stand_side_by_side() -> None:
    first, same = view(), view()
    assert [one.name for one in first.behaviors] == [one.name for one in same.behaviors]
    assert made(first).digest == made(same).digest

    def slower(shape) -> None:
        shape["config"]["Origins"]["Items"][0]["ConnectionTimeout"] = 3

    second = view(slower)
    assert {one.name for one in first.behaviors}.isdisjoint({one.name for one in second.behaviors})
    both = made(second, previous=[first])
    for one in (first, second):
        assert one.origins["site"].name in both.files["nginx.conf"]
        assert f'.path = "/run/edge/{one.origins["site"].name}.sock"' in both.files["edge.vcl"]
        assert f"sub {one.behaviors[0].name}_response" in both.files["edge.vcl"]
    # Viewers meet the new one alone.
    assert f"@{first.behaviors[0].name}" not in both.files["nginx.conf"]


def test_a_changed_policy_function_or_order_is_a_change() -> None:
    digests = {made(view()).digest}
    longer = {"cache_policies": {"cache": {**CACHE, "DefaultTTL": 700}}}
    digests.add(made(view(catalog=longer)).digest)

    def reordered(shape) -> None:
        first = shape["config"]["CacheBehaviors"]["Items"][0]
        shape["config"]["CacheBehaviors"]["Items"] = [{**first, "PathPattern": "x/*"}, first]

    def other_order(shape) -> None:
        reordered(shape)
        shape["config"]["CacheBehaviors"]["Items"].reverse()

    digests |= {made(view(reordered)).digest, made(view(other_order)).digest}
    assert len(digests) == 4


def test_disabled_distributions_are_not_served_and_unknown_policies_are_named() -> None:
    disabled = {**SHAPE, "config": {**SHAPE["config"], "Enabled": False}}
    assert model.distributions({"distributions": [disabled], "cloudfront": CATALOG}) == []
    with pytest.raises(KeyError, match="cache"):
        model.distributions({"distributions": [SHAPE], "cloudfront": {"cache_policies": {}}})


# -- secrets -------------------------------------------------------------------------------------------------------------


def test_secrets_lie_in_nginx_conf_and_key_files_alone() -> None:
    files = made(view()).files
    assert [name for name, text in files.items() if "can" in text and "ary ${dollar}x" in text] == ["nginx.conf"]
    assert not [name for name, text in files.items() if SECRET in text]
    assert files["certs/E1.key"] == "KEY\n" and files["certs/E1.crt"] == "CERT\nCHAIN\n"
    assert "KEY\n" not in files["nginx.conf"]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_quoting_for_nginx_loses_nothing(text: str) -> None:
    quoted = nginx.quote(text)
    inside = quoted[1:-1]
    assert "$" not in inside.replace("${dollar}", "")
    read = re.sub(r"\\(.)", r"\1", inside)
    assert read.replace("${dollar}", "$") == text or "${dollar}" in text


# -- headers -------------------------------------------------------------------------------------------------------------


def test_headers_of_policies() -> None:
    none = headers.plan((), ("none", ()), False)
    assert not (none.everything or none.host or none.user_agent or none.authorization)
    assert "X-Own" not in none.kept
    key = headers.plan(("Host", "X-Own", "Authorization"), ("none", ()), False)
    assert key.host and key.authorization and "X-Own" in key.kept and not key.everything
    viewer = headers.plan((), ("allViewer", ()), False)
    assert viewer.everything and viewer.host and viewer.authorization and viewer.user_agent
    assert set(headers.GENERATED) <= set(viewer.removed)
    excepted = headers.plan(("Host",), ("allExcept", ("Host", "X-Not")), False)
    # What is in the key is forwarded whatever the other policy says.
    assert excepted.host and excepted.removed.count("X-Not") == 1
    asked = headers.plan((), ("allViewerAndWhitelistCloudFront", ("CloudFront-Viewer-Country",)), False)
    assert asked.generated == ("CloudFront-Viewer-Country",) and "CloudFront-Viewer-Country" not in asked.removed


def test_legacy_headers() -> None:
    legacy = headers.plan(("Accept-Language",), ("none", ()), True)
    assert legacy.everything and not legacy.host and not legacy.user_agent
    assert "Referer" in legacy.removed and "Accept-Language" not in legacy.removed


def test_functions_name_the_headers_they_may_change() -> None:
    code = "function handler(e) { e.request.headers['X-Shape'] = {}; e.request.headers.referer; e.request.headers[\"host\"]; }"
    arn = "arn:f"

    def with_function(shape) -> None:
        shape["config"]["DefaultCacheBehavior"]["FunctionAssociations"] = {
            "Items": [{"EventType": "viewer-request", "FunctionARN": arn}]
        }

    one = view(with_function, {"functions": {arn: {"code": code}}})
    assert scripts.touched(one.behaviors[-1]) == ("referer", "x-shape")
    assert nginx.forwarded(one.behaviors[-1])["X-Shape"] == "$edge_h_x_shape"
    assert nginx.forwarded(one.behaviors[0])["X-Shape"] == "$http_x_shape"
    assert any(code in text for name, text in made(one).files.items() if name.startswith("njs/"))


# -- cache ---------------------------------------------------------------------------------------------------------------


def test_lifetimes_in_vcl() -> None:
    text = vcl.render([view()])
    assert "set beresp.ttl = 600s;" in text and "beresp.ttl > 6000s" in text and "beresp.ttl < 1s" in text
    assert "beresp.ttl /" not in text
    # A week in minutes: the factor itself would have too few digits.
    assert "beresp.ttl / 3600.000" in vcl.render([view()], 1 / 3600)


def test_everything_that_is_called_is_there_once() -> None:
    text = vcl.render([view()])
    subs = re.findall(r"^sub (\w+)", text, re.M)
    assert len(subs) == len(set(subs))
    assert set(re.findall(r"call (\w+);", text)) <= set(subs)


def test_bans_take_wildcards_at_the_end_only() -> None:
    assert bundle.ban("E1", "/a?b=*x")[-2:] == ["==", "/a?b=*x"]
    assert bundle.ban("E1", "blog/*")[-2:] == ["~", "^/blog/"]
    assert bundle.ban("E1", "/a.b?c*")[-1] == "^/a\\\\x2eb\\\\x3fc"


# -- topology ------------------------------------------------------------------------------------------------------------

CONFIG = Config(Path("/state"), "abc", "http://127.0.0.1:1", "node:1", "services:1", ports=PORTS, front_door="edge")
DESIRED = {
    "vpcs": [{"id": "vpc-1", "cidr": "10.40.0.0/16"}, {"id": "vpc-0", "cidr": "10.41.0.0/16"}],
    "load_balancers": [
        {
            "name": "site",
            "dns_name": "site-1.us-east-1.elb.amazonaws.com",
            "scheme": "internet-facing",
            "vpc_id": "vpc-1",
            "subnets": [{"cidr": "10.40.0.0/24"}],
            "listeners": [],
        }
    ],
    "distributions": [SHAPE],
    "cloudfront": CATALOG,
    "records": [
        {"name": "www.example.org", "type": "A", "alias": "d1.cloudfront.net"},
        {"name": "origin.example.org", "type": "A", "alias": "dualstack.site-1.us-east-1.elb.amazonaws.com"},
        {"name": "blog.example.org", "type": "CNAME", "values": ["www.example.org."]},
        {"name": "fixed.example.org", "type": "A", "values": ["192.0.2.1"]},
        {"name": "elsewhere.example.org", "type": "CNAME", "values": ["unknown.example.net"]},
        {"name": "*.example.org", "type": "A", "alias": "d1.cloudfront.net"},
    ],
}


def test_the_edge_stands_at_the_fourth_address_of_the_balancers_vpc() -> None:
    topology = describe(DESIRED, CONFIG, (), "salt")
    (edge,) = [one for one in topology.containers if one.kind == cloudfront.KIND]
    assert (edge.address, edge.network) == ("10.40.0.3", "wordpress-ha-abc-vpc-1")
    assert "canary" not in repr(edge) and SECRET not in repr(edge)


@pytest.mark.parametrize(("door", "kind"), [("edge", cloudfront.KIND), ("load_balancer", elbv2.KIND)])
def test_one_front_door_is_published(door, kind) -> None:
    config = Config(Path("/state"), "abc", "http://127.0.0.1:1", "node:1", "services:1", ports=PORTS, front_door=door)
    containers = describe(DESIRED, config, (), "salt").containers
    published = {one.kind: [flag for flag in one.flags if flag.startswith("127.0.0.1:")] for one in containers}
    assert {key for key, flags in published.items() if flags} == {kind}
    assert published[kind] == ["127.0.0.1:8080:80", "127.0.0.1:8443:443"]


def test_no_distribution_no_edge() -> None:
    containers = describe(DESIRED | {"distributions": []}, CONFIG, (), "salt").containers
    assert cloudfront.KIND not in {one.kind for one in containers}


def test_records_lead_where_route_53_says() -> None:
    names = describe(DESIRED, CONFIG, (), "salt").names
    assert names["D1.cloudfront.net"] == names["www.example.org"] == names["blog.example.org"] == ["10.40.0.3"]
    assert names["origin.example.org"] == names["site-1.us-east-1.elb.amazonaws.com"]
    assert names["fixed.example.org"] == ["192.0.2.1"]
    assert not {"elsewhere.example.org", "*.example.org"} & set(names)
    assert "10.40.0.3 d1.cloudfront.net\n" in cloud.hosts(names)


# -- the loop ------------------------------------------------------------------------------------------------------------


class FakeEngine:
    """An engine in which the edge's container runs; ``refuses`` makes its nginx refuse what it is given."""

    def __init__(self) -> None:
        self.refuses, self.executed, self.wanted = False, [], []

    def containers(self) -> dict:
        return {
            one.name: Observed(one.name, one.kind, one.key, one.fingerprint, one.address, True, os.getpid())
            for one in self.wanted
        }

    def networks(self) -> list[str]:
        return ["wordpress-ha-abc-vpc-1"]

    def images(self) -> set[str]:
        return set()

    def execute(self, name: str, *command: str, stdin: str | None = None) -> str:
        self.executed.append(command)
        if self.refuses and command[:2] == ("nginx", "-t"):
            raise EngineError("no")
        return ""


class FakeApi:
    def __init__(self, desired: dict) -> None:
        self.wanted, self.reports = desired, []

    def desired(self) -> dict:
        return self.wanted

    def report(self, observed) -> None:
        self.reports.append(observed)


def settled(reconciler, api: FakeApi, condition) -> dict:
    """Let the loop turn until the report fulfils a condition, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        reconciler.inventory.refresh()
        reconciler.tick()
        if api.reports and condition(api.reports[-1]):
            return api.reports[-1]
        time.sleep(0.05)
    raise AssertionError(api.reports[-1:])


def test_an_etag_is_reported_once_it_is_live_and_an_invalidation_once_it_is_done(tmp_path: Path) -> None:
    config = Config(tmp_path, "abc", "http://127.0.0.1:1", "node:1", "services:1", ports=PORTS, front_door="edge")
    nothing = {
        key: [] for key in ("instances", "images", "target_groups", "db_clusters", "replication_groups", "file_systems")
    }
    invalidation = {"id": "I1", "distribution_id": "E1", "paths": ["/a*"]}
    desired = nothing | DESIRED | {"load_balancers": [], "account": "1", "invalidations": [invalidation]}
    engine, api = FakeEngine(), FakeApi(desired)
    engine.wanted = [one for one in describe(desired, config, (), "salt").containers if one.kind == cloudfront.KIND]
    engine.refuses = True
    reconciler = Reconciler(config, api, engine)  # type: ignore[arg-type]
    reconciler._submit = lambda *_arguments: None  # type: ignore[method-assign]
    settled(reconciler, api, lambda _report: any("-t" in command for command in engine.executed))
    assert api.reports[-1]["distributions"] == {} == api.reports[-1]["invalidations"]
    engine.refuses = False
    report = settled(reconciler, api, lambda report: report["distributions"] and report["invalidations"])
    assert report["distributions"] == {"E1": "tag-1"}
    assert report["invalidations"] == {"I1": "completed"}
    assert any("ban" in command for command in engine.executed)
    # A changed status is no change of configuration; a new etag is.
    count = len(engine.executed)
    api.wanted = {**desired, "distributions": [{**SHAPE, "status": "Deployed"}], "invalidations": []}
    settled(reconciler, api, lambda report: not report["invalidations"])
    assert len(engine.executed) == count
    api.wanted = {**desired, "distributions": [{**SHAPE, "etag": "tag-2"}]}
    settled(reconciler, api, lambda report: report["distributions"] == {"E1": "tag-2"})
    assert len(engine.executed) > count
    reconciler.jobs.close()

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge in front of the site: visitors come through it, past it nobody does, and its secret changes without a lost request."""

from __future__ import annotations

import json
import time

import requests
import urllib3

from .site import Load, Site, wait_until


def past_the_edge(site: Site, **headers: str) -> requests.Response:
    """Ask the load balancer itself, by its own address; its certificate names the site, not the address."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    host = site.url.split("//", 1)[1]
    browser = requests.Session()
    browser.trust_env = False
    return browser.get(
        f"https://{site.balancer_address()}/", headers={"Host": host, **headers}, verify=False, timeout=10
    )


def versions(site: Site) -> dict[str, str]:
    """Return the values of the origin header by stage."""
    manager = site.aws("secretsmanager")
    stack = next(name for name in (s["Name"] for s in manager.list_secrets()["SecretList"]) if name.endswith("/origin"))
    found = {}
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        try:
            text = manager.get_secret_value(SecretId=stack, VersionStage=stage)["SecretString"]
        except manager.exceptions.ResourceNotFoundException:
            continue
        found[stage] = json.loads(text)["header_value"]
    return found


def test_the_second_visitor_is_served_by_the_edge(site: Site, prove) -> None:
    site.get("/")
    answer = wait_until_hit(site)
    assert answer.status_code == 200 and "</html>" in answer.text and "Age" in answer.headers
    config = site.distribution()["config"]
    patterns = [behavior["PathPattern"] for behavior in config["CacheBehaviors"]["Items"]]
    prove(f"{site.url}/ is answered with `X-Cache: {answer.headers['X-Cache']}`; behaviors: {', '.join(patterns)}, *")


def wait_until_hit(site: Site) -> requests.Response:
    wait_until("the front page is a hit", lambda: site.get("/").headers.get("X-Cache", "").startswith("Hit"), 10)
    return site.get("/")


def test_nobody_promises_https_for_localhost(site: Site, prove) -> None:
    """Browsers would insist on it for every server of this machine. The edge passes on what nodes say."""
    paths = ("/", "/wp-login.php", "/wp-includes/images/blank.gif")
    promises = {path: site.get(path).headers.get("Strict-Transport-Security") for path in paths}
    assert set(promises.values()) == {None}, promises
    prove(f"no Strict-Transport-Security for localhost, from edge or nodes: {', '.join(paths)}")


def test_past_the_edge_nobody_is_served(site: Site, prove) -> None:
    refused = past_the_edge(site)
    wrong = past_the_edge(site, **{"X-Origin-Verify": "guessed"})
    assert (refused.status_code, wrong.status_code) == (403, 403)
    assert "wp-" not in refused.text
    right = past_the_edge(site, **{"X-Origin-Verify": versions(site)["AWSCURRENT"]})
    assert right.status_code == 200, "the header is what makes the difference"
    prove(f"the load balancer answers {refused.status_code} without the origin header and with a wrong one (P31)")


def test_the_origin_header_is_rotated_under_load(site: Site, prove) -> None:
    before = versions(site)
    with Load(site) as load:
        time.sleep(2)
        run = site.play("rotate", "playbooks/rotate_origin_secret.yml")
        assert run.code == 0, run.tail()
        time.sleep(3)
    after = versions(site)
    assert after["AWSCURRENT"] != before["AWSCURRENT"] and after["AWSPREVIOUS"] == before["AWSCURRENT"]
    assert not load.failed, load.failed[:10]
    assert past_the_edge(site, **{"X-Origin-Verify": after["AWSPREVIOUS"]}).status_code == 200
    again = site.play("after-rotation", "site.yml")
    assert again.code == 0 and again.recap()["changed"] == 0, again.tail(60)
    prove(
        f"origin header rotated under load in {run.seconds:.0f} s: {len(load.results)} requests, none failed; both versions are "
        "valid; site.yml afterwards: changed=0"
    )

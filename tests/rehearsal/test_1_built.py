# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a clone to a served WordPress: what ``make rehearsal`` builds, and that building again changes nothing."""

from __future__ import annotations

import json
import re
import time

import requests

from .shape import shape
from .site import Site


def test_make_rehearsal_builds_the_site(site: Site, prove) -> None:
    run = site.make("rehearsal")
    assert run.code == 0, run.tail()
    assert run.seconds < 15 * 60
    report = site.report
    assert {"url", "admin_user", "admin_password", "instances", "aws_endpoint_url"} <= set(report)
    assert report["url"] in run.output and report["admin_password"] in run.output
    for instance in site.instance_ids():
        assert instance in run.output, "the printed report names every node"
    site.built = shape(site)
    prove(f"`make rehearsal` ended with exit code 0 after {run.seconds:.0f} s (limit 900) and reports {report['url']}")


def test_both_instances_of_the_group_serve_the_front_page(site: Site, prove) -> None:
    served: dict[str, int] = {}
    for _attempt in range(12):
        answer = site.get_fresh("/")
        assert answer.status_code == 200 and "wp-includes" in answer.text and "</html>" in answer.text
        served[answer.headers["X-Served-By"]] = served.get(answer.headers["X-Served-By"], 0) + 1
    group = site.group()
    assert set(served) == site.instance_ids() and len(served) == 2
    zones = {instance["AvailabilityZone"] for instance in group["Instances"]}
    assert len(zones) == 2, "the two nodes stand in different Availability Zones"
    prove(f"12 requests for the front page were answered by {served}, in zones {sorted(zones)}")


def test_http_redirects_to_https(site: Site, prove) -> None:
    port = site.config()["ports"]["80"]
    answer = requests.get(f"http://127.0.0.1:{port}/hello?x=1", allow_redirects=False, timeout=10)
    assert answer.status_code in (301, 302, 308) and answer.headers["Location"].startswith("https://")
    prove(f"plain HTTP is answered with {answer.status_code} to {answer.headers['Location']}")


def test_login_is_valid_on_every_node(site: Site, prove) -> None:
    browser = site.login()
    nodes = set()
    for _attempt in range(8):
        answer = browser.get(f"{site.url}/wp-admin/", timeout=60, allow_redirects=False)
        assert answer.status_code == 200, "a logged-in administrator is never sent back to the login"
        nodes.add(answer.headers["X-Served-By"])
    assert nodes == site.instance_ids()
    prove(f"the dashboard opened 8 times in one session, through {len(nodes)} nodes (P25: one set of salts)")


def test_upload_through_one_node_is_served_by_the_other(site: Site, prove) -> None:
    browser = site.login()
    page = browser.get(f"{site.url}/wp-admin/media-new.php", timeout=60)
    nonce = re.search(r'name="_wpnonce" value="([0-9a-f]+)"', page.text)
    assert nonce is not None
    content = f"rehearsal upload {time.time()}".encode()
    answer = browser.post(
        f"{site.url}/wp-admin/async-upload.php",
        data={"_wpnonce": nonce.group(1), "action": "upload-attachment", "name": "rehearsal.txt"},
        files={"async-upload": ("rehearsal.txt", content, "text/plain")},
        timeout=60,
    )
    uploaded = answer.json()
    assert uploaded["success"], uploaded
    received_by = answer.headers["X-Served-By"]
    path = uploaded["data"]["url"].split("/", 3)[3]
    others = site.instance_ids() - {received_by}
    served = set()
    for _attempt in range(20):
        fetched = site.get_fresh(f"/{path}")
        assert fetched.status_code == 200 and fetched.content == content
        served.add(fetched.headers["X-Served-By"])
    assert others <= served
    prove(f"uploaded through {received_by}, the same bytes came from {sorted(served)} (R40)")


def test_cache_holds_the_sites_keys(site: Site, prove) -> None:
    site.get_fresh("/")
    script = r"""
import json, socket, ssl
contract = json.load(open("/run/wordpress_ha/contract.json"))
cache, token = contract["cache"], contract["secrets"]["cache"]["auth_token"]
raw = socket.create_connection((cache["host"], int(cache["port"])), 5)
link = ssl.create_default_context().wrap_socket(raw, server_hostname=cache["host"])
def ask(*words):
    link.sendall(b"".join([b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words]))
    return link.recv(65536).decode(errors="replace")
refused = ask("DBSIZE")
assert ask("AUTH", token).startswith("+OK")
found = ask("SCAN", "0", "MATCH", cache["prefix"] + "*", "COUNT", "10000")
print(json.dumps({"version": link.version(), "unauthenticated": refused.strip(), "keys": found.count(cache["prefix"])}))
"""
    node = sorted(site.instance_ids())[0]
    seen = json.loads(site.node(node, f"python3 - <<'SCRIPT'\n{script}\nSCRIPT"))
    assert seen["keys"] > 0 and seen["version"].startswith("TLS") and "NOAUTH" in seen["unauthenticated"]
    prove(
        f"the cache holds {seen['keys']} or more keys with the site's prefix, over {seen['version']}, and refuses without auth (P11)"
    )


def test_database_connection_is_tls(site: Site, prove) -> None:
    node = sorted(site.instance_ids())[0]
    code = """<?php
    global $wpdb;
    echo $wpdb->get_var( "SHOW SESSION STATUS LIKE 'Ssl_version'", 1 ), ' ', $wpdb->get_var( 'SELECT CURRENT_USER()' );
    """
    seen = site.node(node, f"cd /srv/wordpress/docroot && runuser -u www-data -- wp eval-file - <<'PHP'\n{code}\nPHP")
    assert seen.strip().startswith("TLS"), seen
    prove(f"WordPress speaks {seen.split()[0]} with the database, as the least-privilege user {seen.split()[-1]}")


def test_second_run_changes_nothing(site: Site, prove) -> None:
    since = time.time()
    run = site.play("second-run", "site.yml")
    recap = run.recap()
    assert run.code == 0 and recap["changed"] == 0 and recap["failed"] == 0, run.tail(60)
    writes = site.writing_calls(since)
    assert not writes, writes[:5]
    prove(f"site.yml again: changed=0 failed=0, {len(writes)} writing calls, {run.seconds:.0f} s")


def test_check_mode_reports_and_writes_nothing(site: Site, prove) -> None:
    since = time.time()
    run = site.play("check-run", "site.yml", "--check", "--diff")
    recap = run.recap()
    assert run.code == 0 and recap["changed"] == 0 and recap["failed"] == 0, run.tail(60)
    writes = site.writing_calls(since)
    assert not writes, writes[:5]
    prove(f"site.yml --check --diff: changed=0 failed=0, {len(writes)} writing calls, {run.seconds:.0f} s")


def test_everything_listens_on_loopback_only(site: Site, prove) -> None:
    sockets = site.run("sockets", "ss", "-Hltnp").output.splitlines()
    ours = [
        line.split()[3] for line in sockets if any(name in line for name in ("python", "conmon", "podman", "docker"))
    ]
    ports = {str(port) for port in site.ports()}
    ours += [line.split()[3] for line in sockets if line.split()[3].rsplit(":", 1)[1] in ports]
    assert all(address.startswith("127.") or address.startswith("[::1]") for address in ours), ours
    prove(f"listening addresses of the rehearsal on this machine: {sorted(set(ours))}")

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the web node's files say, for any value of the variables that drive them."""

from __future__ import annotations

import json
import re

import pytest


def seconds(text: str, name: str) -> int:
    found = re.search(rf"{name}\s*=?\s*(\d+)s?\b", text)
    assert found, f"{name} is not set"
    return int(found.group(1))


@pytest.mark.parametrize("timeout", [5, 60, 900])
def test_one_timeout_drives_an_increasing_chain(render, timeout):
    """P8: PHP gives up before PHP-FPM, PHP-FPM before nginx."""
    php = seconds(render("web_node/php.ini.j2", web_node_timeout=timeout), "max_execution_time")
    fpm = seconds(render("web_node/pools.conf.j2", web_node_timeout=timeout), "request_terminate_timeout")
    waits = re.findall(
        r"^    fastcgi_read_timeout (\d+)s", render("web_node/nginx.conf.j2", web_node_timeout=timeout), re.MULTILINE
    )
    assert timeout == php < fpm < int(waits[0])


@pytest.mark.parametrize("size", ["64M", "1G"])
def test_one_size_drives_nginx_and_php(render, size):
    """P21."""
    php = render("web_node/php.ini.j2", web_node_max_upload=size)
    assert f"client_max_body_size {size};" in render("web_node/nginx.conf.j2", web_node_max_upload=size)
    assert f"upload_max_filesize = {size}" in php
    assert f"post_max_size = {size}" in php


def test_health_endpoints_touch_no_file_of_the_site(render):
    """P3: neither root nor try_files nor the site's pool stands in a health location."""
    nginx = render("web_node/nginx.conf.j2")
    for path in ("/healthz/live", "/healthz/ready"):
        location = re.search(rf"location = {path} \{{(.*?)\n    \}}", nginx, re.DOTALL)
        assert location, path
        assert "wordpress_ha-health.sock" in location[1]
        assert not re.search(r"try_files|\broot\b|/srv|document_root", location[1])


def test_hidden_and_uploaded_php_files_are_denied_before_php_runs(render):
    nginx = render("web_node/nginx.conf.j2")
    php = nginx.index("location ~ \\.php$")
    for rule in (r"location ~ /\.(?!well-known/)", "uploads|files|blogs"):
        assert nginx.index(rule) < php


@pytest.mark.parametrize(
    ("path", "denied"),
    [
        ("/wp-content/uploads/x.php", True),
        ("/wp-content/uploads/2026/11/x.phtml", True),
        ("/blog/wp-content/uploads/x.PHP7", True),
        ("/wp-content/uploads/x.phar", True),
        ("/wp-content/plugins/a/a.php", False),
        ("/wp-content/uploads/php.txt", False),
    ],
)
def test_which_uploads_are_denied(render, path, denied):
    rule = re.search(r"location ~\* (\S*uploads\S*) \{", render("web_node/nginx.conf.j2"))
    assert rule
    assert bool(re.search(rule[1], path, re.IGNORECASE)) is denied


@pytest.mark.parametrize(
    ("key", "https"),
    [
        ("1:https:http", True),
        ("1::https", True),
        ("1:http:https", False),
        ("0:https:https", False),
        ("1::http", False),
        ("0::", False),
    ],
)
def test_who_says_https(render, key, https):
    """P2: CloudFront's word first, then the balancer's; a stranger's never."""
    rules = re.search(r"\$wordpress_ha_https \{(.*?)\}", render("web_node/nginx.conf.j2"), re.DOTALL)
    assert rules
    exact = re.findall(r'^\s*"([^~"]*)" on;', rules[1], re.MULTILINE)
    patterns = re.findall(r'^\s*"~([^"]*)" on;', rules[1], re.MULTILINE)
    assert (key in exact or any(re.search(pattern, key) for pattern in patterns)) is https


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("GET:1:200:", True),
        ("HEAD:1:301:", True),
        ("POST:1:200:", False),
        ("GET:0:200:", False),
        ("GET:1:404:", False),
        ("GET:1:200:no-cache", False),
        ("GET:1:200:wordpress_test_cookie=1", False),
    ],
)
def test_which_pages_a_shared_cache_may_keep(render, key, kept):
    """R24, P33."""
    rule = re.search(r'"~(\S+)" "public, max-age=0, s-maxage=300"', render("web_node/nginx.conf.j2"))
    assert rule
    assert bool(re.search(rule[1], key)) is kept


def test_no_page_header_when_switched_off(render):
    assert "s-maxage" not in render("web_node/nginx.conf.j2", web_node_page_shared_max_age=0)


@pytest.mark.parametrize(
    ("where", "expected"),
    [("journald", "syslog:server=unix:"), ("file", "/var/log/nginx/"), ("off", "access_log off;")],
)
def test_where_requests_are_logged(render, where, expected):
    nginx = render("web_node/nginx.conf.j2", web_node_access_log=where)
    assert expected in nginx
    assert "/srv/wordpress" not in "".join(re.findall(r"(?:access|error)_log [^;]*;", nginx))


def test_php_is_bound_to_the_mount(render):
    """P18."""
    assert "RequiresMountsFor=/srv/wordpress/shared" in render("web_node/php-fpm.service.conf.j2")


def test_php_verifies_tls_and_keeps_no_session(render):
    """R39, and the database's certificate."""
    ini = render("web_node/php.ini.j2")
    assert "openssl.cafile = /etc/wordpress_ha/ca-bundle.pem" in ini
    assert "session.save_path = /nonexistent" in ini
    assert "opcache.validate_timestamps = 1" in ini


def test_the_agents_configuration_is_json_without_secrets(render):
    agent = json.loads(
        render("web_node/agent.json.j2", web_node_contract={"secrets": {"database": {"password": "canary"}}})
    )
    assert agent["source"] == "aws"
    assert "canary" not in json.dumps(agent)
    assert agent["pool"] == {"children": 0, "child_memory_mb": 64, "memory_percent": 60}


@pytest.mark.parametrize("role", ["web_node", "wordpress"])
def test_each_default_is_documented_and_equal(argument_specs, defaults, role):
    """Promises in the argument specification do not drift from the defaults."""
    documented = argument_specs(role)["main"]["options"]
    defaults = defaults(role)
    assert set(documented) == set(defaults)
    for name, option in documented.items():
        if "default" in option:
            assert option["default"] == defaults[name], name

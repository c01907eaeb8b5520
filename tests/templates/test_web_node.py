# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the web node's files say, for any value of the variables that drive them."""

from __future__ import annotations

import json
import re

import pytest
from nginx_maps import mapped


def seconds(text: str, name: str) -> int:
    found = re.search(rf"{name}\s*=?\s*(\d+)s?\b", text)
    assert found, f"{name} is not set"
    return int(found.group(1))


@pytest.mark.parametrize("timeout", [5, 60, 900])
def test_one_timeout_drives_an_increasing_chain(render, timeout):
    """P8: PHP gives up before PHP-FPM, PHP-FPM before nginx."""
    php = seconds(render("web_node/php.ini.j2", web_node_timeout=timeout), "max_execution_time")
    pools = render("web_node/pools.conf.j2", web_node_timeout=timeout)
    fpm = seconds(pools[pools.index("[wordpress]") :], "request_terminate_timeout")
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


def test_the_deep_health_check_is_for_private_addresses_and_not_in_the_pool_that_says_alive(render):
    """R37, P3."""
    location = re.search(r"location = /healthz/deep \{(.*?)\n    \}", render("web_node/nginx.conf.j2"), re.DOTALL)
    assert location and "deny all;" in location[1] and "allow 10.0.0.0/8;" in location[1]
    assert "/run/php/wordpress_ha.sock" in location[1] and "no-store" in location[1]


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


KEPT, PRIVATE, SILENT = "public, max-age=0, s-maxage=600", "private, no-store", ""


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, KEPT),
        ({"request_method": "HEAD"}, KEPT),
        ({"status": "301"}, KEPT),
        ({"status": "304"}, KEPT),  # a feed that has not changed
        ({"request_uri": "/feed/"}, KEPT),
        ({"request_uri": "/?utm_source=letter"}, KEPT),
        ({"request_uri": "/?p=1", "status": "301"}, KEPT),
        ({"http_cookie": "_ga=1; wordpress_test_cookie=1; wp-settings-time-1=1"}, KEPT),
        ({"http_cookie": "_ga=1; wordpress_logged_in_0a=x"}, PRIVATE),
        ({"http_cookie": "wordpress_sec_0a=x"}, PRIVATE),
        ({"http_cookie": "comment_author_0a=x"}, PRIVATE),
        ({"http_cookie": "comment_author_email_0a=x"}, PRIVATE),
        ({"http_cookie": "a=1;wp-postpass_0a=x"}, PRIVATE),
        ({"http_cookie": "woocommerce_items_in_cart=1"}, PRIVATE),
        ({"http_cookie": "not_comment_author_0a=x"}, KEPT),
        ({"http_authorization": "Basic eA=="}, PRIVATE),
        ({"http_x_wp_nonce": "0a"}, PRIVATE),
        ({"upstream_http_set_cookie": "a=1"}, PRIVATE),
        ({"request_method": "POST"}, PRIVATE),
        ({"request_method": "OPTIONS"}, PRIVATE),
        ({"status": "302"}, PRIVATE),
        ({"status": "404"}, PRIVATE),
        ({"status": "500"}, PRIVATE),
        ({"request_uri": "/?s=needle"}, PRIVATE),
        ({"request_uri": "/search/needle/"}, PRIVATE),
        ({"request_uri": "/searching/"}, KEPT),
        ({"request_uri": "/wp-json/wp/v2/posts"}, PRIVATE),
        ({"request_uri": "/wp-json"}, PRIVATE),
        ({"request_uri": "/blog/wp-json/"}, PRIVATE),
        ({"request_uri": "/?rest_route=/wp/v2/posts"}, PRIVATE),
        ({"request_uri": "/?p=7&preview=true"}, PRIVATE),
        ({"request_uri": "/a/?customize_changeset_uuid=1"}, PRIVATE),
        ({"uri": "/wp-login.php"}, PRIVATE),
        ({"uri": "/wp-admin/index.php"}, PRIVATE),
        ({"uri": "/xmlrpc.php"}, PRIVATE),
        ({"upstream_http_cache_control": "no-cache"}, SILENT),
        ({"upstream_http_cache_control": "public, max-age=9", "http_cookie": "wordpress_logged_in_0a=x"}, SILENT),
        ({"upstream_http_expires": "Wed, 11 Jan 1984 05:00:00 GMT"}, SILENT),
        (
            {
                "request_uri": "/a/?unapproved=3&moderation-hash=0a",
                "arg_unapproved": "3",
                "upstream_http_cache_control": "max-age=600, must-revalidate",
            },
            PRIVATE,
        ),
    ],
)
def test_what_caches_may_keep_of_a_page(render, seen, expected):
    """R24, P33: what stands for anonymous pages, and nothing personal, is kept by shared caches; nothing by browsers."""
    page = {"request_method": "GET", "status": "200", "uri": "/index.php", "request_uri": "/", "arg_unapproved": ""}
    assert mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_page_cache", page | seen) == expected


def test_the_rule_holds_for_errors_too(render):
    assert "add_header Cache-Control $wordpress_ha_page_cache always;" in render("web_node/nginx.conf.j2")


@pytest.mark.parametrize(
    ("uri", "args", "expected"),
    [
        ("/wp-includes/css/dashicons.min.css", "ver=7.1.1", "public, max-age=31536000, immutable"),
        ("/wp-content/uploads/elementor/post-1.css", "a=1&ver=2", "public, max-age=31536000, immutable"),
        ("/wp-content/uploads/2026/11/photo.jpg", "", "public, max-age=2592000"),
        ("/blog/wp-content/uploads/2026/11/photo.WEBP", "", "public, max-age=2592000"),
        ("/wp-content/uploads/elementor/post-1.css", "", "public, max-age=3600"),
        ("/wp-content/themes/a/style.css", "", "public, max-age=3600"),
        ("/wp-content/themes/a/style.css", "ver=", "public, max-age=3600"),
        ("/wp-content/themes/a/style.css", "never=1", "public, max-age=3600"),
        ("/wp-content/themes/a/photo.jpg", "", "public, max-age=3600"),
        ("/favicon.ico", "", "public, max-age=3600"),
    ],
)
def test_how_long_static_files_are_kept(render, uri, args, expected):
    """R24, R60, R75."""
    found = mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_static_cache", {"uri": uri, "args": args})
    assert found == expected


def test_pages_can_be_asked_for_each_time(render):
    page = {"request_method": "GET", "status": "200", "uri": "/index.php", "request_uri": "/", "arg_unapproved": ""}
    nginx = render("web_node/nginx.conf.j2", web_node_page_shared_max_age=0)
    assert mapped(nginx, "wordpress_ha_page_cache", page) == "public, max-age=0, s-maxage=0"
    assert "$wordpress_ha_host {" in nginx


def test_the_default_age_of_a_page_is_what_is_safe_for_nonces(defaults):
    """P33."""
    assert 300 <= defaults("web_node")["web_node_page_shared_max_age"] <= 600


def test_php_sees_neither_the_edges_secret_nor_a_strangers_word(render):
    """P28, P31."""
    location = re.search(r"location ~ \\\.php\$ \{(.*?)\n    \}", render("web_node/nginx.conf.j2"), re.DOTALL)
    assert location
    given = dict(re.findall(r"fastcgi_param (HTTP_\w+) (\S+);", location[1]))
    assert given["HTTP_X_ORIGIN_VERIFY"] == '""'
    assert given["HTTP_X_FORWARDED_FOR"] == "$remote_addr"
    assert given["HTTP_X_FORWARDED_PROTO"] == "$wordpress_ha_scheme"
    for after in ("HTTP_X_ORIGIN_VERIFY", "HTTP_X_FORWARDED_FOR"):
        assert location[1].index("fastcgi_params;") < location[1].index(after)


def test_the_purge_units_meet_at_the_spool(render):
    spool = "/run/wordpress_ha/purge"
    assert f"d {spool} 2770 root www-data -" in render("web_node/tmpfiles.conf.j2")
    assert f"PathExistsGlob={spool}/*.json" in render("web_node/wordpress-ha-purge.path.j2")
    service = render("web_node/wordpress-ha-purge.service.j2")
    for line in (
        f"ReadWritePaths={spool}",
        "User=wordpress-ha-purge",
        "Group=www-data",
        "CapabilityBoundingSet=",
    ):
        assert line in service.splitlines()
    assert f"ConditionPathExistsGlob=|{spool}/*.claimed" in service
    assert "OnUnitInactiveSec=60s" in render("web_node/wordpress-ha-purge.timer.j2")


def test_the_drain_agent_knows_phps_socket(render):
    """R38: what it counts is what nginx and PHP-FPM talk by."""
    agent = json.loads(render("web_node/agent.json.j2", web_node_drain_timeout=90))
    assert agent["drain_timeout"] == 90
    assert f"listen = {agent['fpm_socket']}\n" in render("web_node/pools.conf.j2")
    assert f"unix:{agent['fpm_socket']};" in render("web_node/nginx.conf.j2")
    service = render("web_node/wordpress-ha-drain.service.j2").splitlines()
    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "Restart=on-failure", "WantedBy=multi-user.target"):
        assert line in service
    assert not any(
        line.startswith(("User=", "ProcSubset=")) for line in service
    )  # it stops a timer, and reads /proc/net


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
    assert "openssl.capath = /etc/wordpress_ha/ca" in ini
    assert "session.save_path = /nonexistent" in ini
    assert "opcache.validate_timestamps = 1" in ini


def test_the_agents_configuration_is_json_without_secrets(render):
    agent = json.loads(
        render("web_node/agent.json.j2", web_node_contract={"secrets": {"database": {"password": "canary"}}})
    )
    assert agent["source"] == "aws"
    assert "canary" not in json.dumps(agent)
    assert agent["pool"] == {
        "children": 0,
        "child_memory_mb": 64,
        "memory_limit_mb": 256,
        "memory_percent": 60,
        "opcache_files": 0,
        "opcache_memory_mb": 0,
    }


@pytest.mark.parametrize("role", ["web_node", "wordpress"])
def test_each_default_is_documented_and_equal(argument_specs, defaults, role):
    """Promises in the argument specification do not drift from the defaults."""
    documented = argument_specs(role)["main"]["options"]
    defaults = defaults(role)
    assert set(documented) == set(defaults)
    for name, option in documented.items():
        if "default" in option:
            assert option["default"] == defaults[name], name

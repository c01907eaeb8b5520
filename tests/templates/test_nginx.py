# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nginx tells browsers, refuses and sheds."""

from __future__ import annotations

import re

import pytest
from nginx_maps import mapped
from role_files import ROLES


def location(nginx: str, name: str) -> str:
    found = re.search(rf"^    location {re.escape(name)} \{{\n(.*?)^    \}}", nginx, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


def denied_by(nginx: str, path: str) -> bool:
    """Return whether the first location that takes a path, as nginx looks them up, denies it."""
    for case, rule, text in re.findall(r"^    location (~\*?) (\S+) \{\n(.*?)^    \}", nginx, re.DOTALL | re.MULTILINE):
        if re.search(rule, path, re.IGNORECASE if case == "~*" else re.NOFLAG):
            return "deny all;" in text
    return False


PAGE = {
    "request_uri": "/",
    "wordpress_ha_scheme": "https",
    "upstream_http_x_frame_options": "",
    "upstream_http_content_security_policy": "",
}


@pytest.mark.parametrize(
    ("name", "seen", "expected"),
    [
        ("x_content_type_options", {}, "nosniff"),
        ("referrer_policy", {}, "strict-origin-when-cross-origin"),
        ("x_frame_options", {}, "SAMEORIGIN"),
        ("content_security_policy", {}, ""),
        ("strict_transport_security", {}, "max-age=31536000"),
        ("strict_transport_security", {"wordpress_ha_scheme": "http"}, ""),
        # What WordPress says itself stands: the dashboard, the customizer's preview.
        ("referrer_policy", {"upstream_http_referrer_policy": "no-referrer"}, ""),
        ("x_frame_options", {"upstream_http_x_frame_options": "SAMEORIGIN"}, ""),
        ("x_frame_options", {"upstream_http_content_security_policy": "frame-ancestors 'self' https://a.example"}, ""),
        # Its embeds are made for other sites' frames; the second header outranks what an edge adds.
        ("x_frame_options", {"request_uri": "/a-post/embed/"}, ""),
        ("content_security_policy", {"request_uri": "/a-post/embed/"}, "frame-ancestors *"),
        ("content_security_policy", {"request_uri": "/a-post/embed?a=1"}, "frame-ancestors *"),
        ("content_security_policy", {"request_uri": "/?p=1&embed=true"}, "frame-ancestors *"),
        ("x_frame_options", {"request_uri": "/embedded/"}, "SAMEORIGIN"),
    ],
)
def test_what_browsers_are_told(render, name, seen, expected):
    assert mapped(render("web_node/nginx.conf.j2"), f"wordpress_ha_send_{name}", PAGE | seen) == expected


def test_the_operators_headers_are_sent(render):
    nginx = render(
        "web_node/nginx.conf.j2",
        web_node_security_headers={"X-Frame-Options": "", "Content-Security-Policy": "default-src 'self'"},
        web_node_hsts_seconds=0,
    )
    assert mapped(nginx, "wordpress_ha_send_x_frame_options", PAGE) == ""
    assert mapped(nginx, "wordpress_ha_send_content_security_policy", PAGE) == "default-src 'self'"
    assert mapped(nginx, "wordpress_ha_send_strict_transport_security", PAGE) == ""
    assert "nosniff" not in nginx


def test_pages_and_files_carry_them_in_every_location_that_sends_headers(render):
    """nginx inherits no header into a location that adds one of its own."""
    nginx = render("web_node/nginx.conf.j2")
    for name in (r"~ \.php$", "@changing"):
        text = location(nginx, name)
        assert text.count("add_header") >= 6 and "add_header X-Content-Type-Options" in text
    assert re.search(r"^    add_header X-Content-Type-Options", nginx, re.MULTILINE)
    assert "add_header" not in location(nginx, "/")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/.git/config", True),
        ("/.well-known/acme-challenge/a", False),
        ("/wp-cron.php", True),
        ("/blog/wp-cron.php", True),
        ("/xmlrpc.php", True),
        ("/blog/xmlrpc.php", True),
        ("/wp-content/debug.log", True),
        ("/wp-config.php.bak", True),
        ("/wp-config.php~", True),
        ("/dump.sql", True),
        ("/wp-content/plugins/a/composer.json", True),
        ("/wp-content/plugins/a/block.json", False),
        ("/wp-content/plugins/a/a.php", False),
        ("/wp-content/upgrade/a/a.php", True),
        ("/wp-content/upgrade-temp-backup/plugins/a/a.php", True),
        ("/wp-content/languages/a.l10n.php", True),
        ("/wp-includes/version.php", True),
        ("/wp-includes/js/tinymce/wp-tinymce.php", False),
        ("/wp-includes/ms-files.php", False),
        ("/wp-includes/js/jquery/jquery.min.js", False),
        ("/wp-admin/admin-ajax.php", False),
        ("/wp-login.php", False),
        ("/catalog/", False),
    ],
)
def test_what_is_denied(render, path, expected):
    assert denied_by(render("web_node/nginx.conf.j2"), path) is expected


def test_xmlrpc_can_be_had_and_is_counted_then(render):
    """P29."""
    nginx = render("web_node/nginx.conf.j2", web_node_xmlrpc=True)
    assert not denied_by(nginx, "/xmlrpc.php")
    seen = {"request_method": "POST", "uri": "/xmlrpc.php", "remote_addr": "203.0.113.9"}
    assert mapped(nginx, "wordpress_ha_guesser", seen) == "203.0.113.9"


@pytest.mark.parametrize(
    ("method", "uri", "counted"),
    [
        ("POST", "/wp-login.php", True),
        ("POST", "/blog/wp-login.php", True),
        ("GET", "/wp-login.php", False),
        ("POST", "/wp-admin/admin-ajax.php", False),  # the heartbeat
        ("POST", "/index.php", False),
        ("POST", "/wp-comments-post.php", False),
    ],
)
def test_only_who_sends_a_password_is_counted(render, method, uri, counted):
    """P29."""
    seen = {"request_method": method, "uri": uri, "remote_addr": "203.0.113.9"}
    found = mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_guesser", seen)
    assert found == ("203.0.113.9" if counted else "")


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
        ("2001:db8:1:2::7", "2001:db8:1:2"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_network_of_one_customer_counts_as_one(render, address, who):
    """Who has an IPv6 address has 64 bits of them."""
    assert mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_client", {"remote_addr": address}) == who


def test_too_many_attempts_are_429_and_none_where_no_limit_is_wanted(render):
    nginx = render("web_node/nginx.conf.j2", web_node_login_rate=7, web_node_login_burst=3)
    assert "limit_req_zone $wordpress_ha_guesser zone=wordpress_ha_login:10m rate=7r/m;" in nginx
    php = location(nginx, r"~ \.php$")
    assert "limit_req zone=wordpress_ha_login burst=3 nodelay;" in php and "limit_req_status 429;" in php
    assert "limit_req" not in render("web_node/nginx.conf.j2", web_node_login_rate=0)


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [("503", "", "5"), ("503", "600", ""), ("429", "", "60"), ("200", "", ""), ("500", "", "")],
)
def test_who_is_sent_away_is_told_when_to_come_again(render, status, said, expected):
    """What `.maintenance` says stands."""
    seen = {"status": status, "upstream_http_retry_after": said}
    assert mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_retry_after", seen) == expected


@pytest.mark.parametrize(("time", "reached"), [("-", "0"), ("", "0"), ("0.000", "1"), ("0.001", "1")])
def test_a_full_queue_is_told_from_a_worker_that_fell(render, time, reached):
    nginx = render("web_node/nginx.conf.j2")
    assert mapped(nginx, "wordpress_ha_reached", {"upstream_connect_time": time}) == reached
    assert "error_page 502 = @unanswered;" in location(nginx, r"~ \.php$")


@pytest.mark.parametrize(
    ("seen", "form"),
    [({"uri": "/wp-json/wp/v2/media"}, '{"code":'), ({"uri": "/wp-admin/async-upload.php"}, "What was sent")],
)
def test_who_uploads_too_much_is_told_how_much_he_may(render, seen, form):
    """P21, for PHP's location too, which has error pages of its own."""
    nginx = render("web_node/nginx.conf.j2", web_node_max_upload="7M")
    assert "error_page 413 @too_large;" in location(nginx, r"~ \.php$")
    found = re.search(r"\$wordpress_ha_refusal \{\n(.*?)^\}", nginx, re.DOTALL | re.MULTILINE)
    assert found
    is_rest = "rest" in mapped(nginx, "wordpress_ha_area", seen)
    line = next(line for line in found[1].splitlines() if ("~rest" in line) is is_rest)
    assert form in line and "an upload may have 7M." in line


def test_static_files_of_a_tree_are_sent_as_they_were_compressed(render):
    """R24: and a file that may change is never kept open."""
    nginx = render("web_node/nginx.conf.j2")
    name = next(name for name in re.findall(r"location (~\* \S+)", nginx) if "woff2" in name)
    text = location(nginx, name)
    for directive in ("gzip_static on;", "brotli_static on;", "open_file_cache_errors on;", "return 418;"):
        assert directive in text
    kept = re.search(r"open_file_cache_valid (\d+)s;", text)
    rests = re.search(r"^REST_SECONDS = (\d+)$", (ROLES / "web_node/files/code_node.py").read_text(), re.MULTILINE)
    assert kept and rests and int(kept[1]) < int(rests[1])  # before a tree that was live once is used anew
    assert "brotli" not in render("web_node/nginx.conf.j2", __web_node_nginx_brotli=False)
    assert "open_file_cache off;" in nginx.split("server {")[-1].split("location")[0]
    assert "open_file_cache" not in location(nginx, "@changing")


def test_an_older_nginx_gets_no_directive_that_it_does_not_know(render):
    assert "    http2 on;" in render("web_node/nginx.conf.j2")
    assert "http2" not in render("web_node/nginx.conf.j2", __web_node_nginx_http2=False)


@pytest.mark.parametrize("timeout", [5, 60, 900])
def test_idle_connections_are_the_load_balancers_to_close(render, timeout):
    """It waits 15 s longer than a request may take; nginx must not be the first to close, or requests meet the closing: 502."""
    nginx = render("web_node/nginx.conf.j2", web_node_timeout=timeout)
    found = re.search(r"keepalive_timeout (\d+)s;", nginx)
    assert found and int(found[1]) > timeout + 15


@pytest.mark.parametrize("timeout", [60, 900])
def test_nginx_is_confined_and_finishes_its_requests(render, timeout):
    """P44."""
    unit = render("web_node/nginx.service.conf.j2", web_node_timeout=timeout).splitlines()
    for line in (
        "ExecStop=",
        "KillSignal=SIGQUIT",
        f"TimeoutStopSec={timeout + 30}",
        "After=php8.4-fpm.service",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "SystemCallFilter=@system-service",
        "Wants=wordpress-ha-mounts.service",
    ):
        assert line in unit


@pytest.mark.parametrize(("wanted", "logged"), [(True, False), (False, True)])
def test_static_files_are_logged_on_request(render, wanted, logged):
    nginx = render("web_node/nginx.conf.j2", web_node_access_log_static=wanted)
    assert ("access_log off;" in location(nginx, "@changing")) is logged

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests nginx answers from the shared files, and which from the node's own copy."""

from __future__ import annotations

import re

import pytest
from nginx_maps import mapped

COOKIE = "wordpress_test_cookie=1; wordpress_logged_in_0a=x"
ADMIN = "https://site.example/wp-admin/"
ME = {"http_cookie": COOKIE}


def author(render, **seen: str) -> str:
    request = {
        "wordpress_ha_storage": "replica",
        "request_method": "GET",
        "http_authorization": "",
        "http_cookie": "",
        "http_referer": "",
        "http_x_http_method_override": "",
        "args": "",
        "arg__method": "",
        "arg_rest_route": "",
    }
    return mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_author", request | seen)


CHANGES_CODE = [
    # Pages that change code, by a link too.
    {"uri": "/wp-admin/plugins.php", **ME},
    {"uri": "/wp-admin/update.php", "args": "action=upgrade-plugin", **ME},
    {"uri": "/wp-admin/network/themes.php", **ME},
    {"uri": "/wp-admin/user/plugins.php", **ME},
    {"uri": "/blog/wp-admin/theme-editor.php", **ME},
    {"uri": "/blog/wp-admin/network/update-core.php", **ME},
    {"uri": "/wp-admin/install.php", **ME},
    {"uri": "/wp-admin/admin.php", "args": "page=tgmpa-install-plugins&plugin=a&tgmpa-nonce=0a", **ME},
    # Whatever else of the dashboard is sent.
    {"uri": "/wp-admin/post.php", "request_method": "POST", **ME},
    {"uri": "/wp-admin/", "request_method": "POST", **ME},
    {"uri": "/wp-admin/admin-post.php", "request_method": "POST", **ME},
    # Its small requests, if they do not come from where people write.
    {"uri": "/wp-admin/admin-ajax.php", "request_method": "POST", "http_referer": f"{ADMIN}plugins.php?s=a", **ME},
    {"uri": "/wp-admin/admin-ajax.php", "request_method": "POST", "http_referer": f"{ADMIN}admin.php?page=a", **ME},
    {"uri": "/wp-admin/admin-ajax.php", "request_method": "POST", "http_referer": f"{ADMIN}customize.php", **ME},
    {
        "uri": "/blog/wp-admin/admin-ajax.php",
        "request_method": "POST",
        "http_referer": "http://site.example:8080/blog/wp-admin/network/index.php",
        **ME,
    },
    # The REST API.
    {"uri": "/wp-json/wp/v2/plugins", "request_method": "POST", **ME},
    {"uri": "/wp-json/wp/v2/plugins/a/a", "request_method": "DELETE", "http_authorization": "Basic eDp5"},
    {"uri": "/wp-json/wp/v2/plugins/a/a", "arg__method": "DELETE", **ME},
    {"uri": "/wp-json/wp/v2/plugins/a/a", "http_x_http_method_override": "DELETE", **ME},
    {"uri": "/blog/wp-json/wp/v2/themes", "request_method": "PUT", **ME},
    {"uri": "/index.php/wp-json/wp/v2/plugins", "request_method": "POST", **ME},
    {"uri": "/wp-json/wp/v2/block-directory/search", "request_method": "POST", **ME},
    {"uri": "/index.php", "request_method": "POST", "arg_rest_route": "/wp/v2/plugins", **ME},
    {"uri": "/", "request_method": "POST", "arg_rest_route": "%2Fwp%2Fv2%2Fplugins%2Fa", **ME},
    {"uri": "/wp-json/a-plugin/v1/install", "request_method": "POST", "http_referer": f"{ADMIN}admin.php?page=a", **ME},
    {"uri": "/", "request_method": "POST", "arg_rest_route": "/a/v1/b", "http_referer": f"{ADMIN}tools.php", **ME},
    # Who has just changed code sees it, page and files.
    {"uri": "/", "http_cookie": f"{COOKIE}; wordpress_ha_author=1"},
    {"uri": "/wp-content/plugins/a/a.css", "http_cookie": f"wordpress_ha_author=1; {COOKIE}"},
]


@pytest.mark.parametrize("seen", CHANGES_CODE)
def test_who_changes_code_works_on_the_truth(render, seen):
    """P1: in mode `replica`, and there alone."""
    assert author(render, **seen) == "1"
    for storage in ("efs", "release"):
        assert author(render, **seen | {"wordpress_ha_storage": storage}) == "0"


@pytest.mark.parametrize("seen", CHANGES_CODE)
def test_a_stranger_never_waits_for_the_shared_files(render, seen):
    """Who has not logged in changes no code, whatever he asks for."""
    assert author(render, **seen | {"http_cookie": "wordpress_ha_author=1", "http_authorization": ""}) == "0"


@pytest.mark.parametrize(
    "seen",
    [
        {"uri": "/"},
        {"uri": "/a-post/", **ME},
        {"uri": "/wp-login.php", "request_method": "POST"},
        {"uri": "/wp-comments-post.php", "request_method": "POST", **ME},
        {"uri": "/wp-admin/", **ME},
        {"uri": "/wp-admin/edit.php", **ME},
        {"uri": "/wp-admin/post.php", "args": "post=1&action=edit", **ME},
        {"uri": "/wp-admin/admin.php", "args": "page=a", **ME},
        {"uri": "/wp-admin/admin-ajax.php", **ME},
        {"uri": "/wp-admin/admin-ajax.php", "request_method": "POST", **ME},
        {"uri": "/wp-admin/load-scripts.php", **ME},
        {"uri": "/wp-adminish/plugins.php", **ME},
        {"uri": "/a/b/wp-admin/plugins.php", **ME},
        {"uri": "/wp-json/wp/v2/plugins", **ME},
        {"uri": "/wp-json/wp/v2/posts/1", "request_method": "POST", **ME},
        {"uri": "/wp-json/wp/v2/pluginsish", "request_method": "POST", **ME},
        {"uri": "/wp-json/wp/v2/posts/1", "request_method": "POST", "http_referer": f"{ADMIN}post.php?post=1", **ME},
        {"uri": "/wp-json/wp/v2/templates", "request_method": "POST", "http_referer": f"{ADMIN}site-editor.php", **ME},
        {"uri": "/wp-json/a/v1/b", "request_method": "POST", "http_referer": "https://site.example/a/", **ME},
        {"uri": "/", "arg_rest_route": "/wp/v2/plugins", **ME},
        {"uri": "/wp-content/plugins/a/a.css", **ME},
        {"uri": "/", "http_cookie": f"{COOKIE}; not_wordpress_ha_author=1"},
        *(
            {"uri": "/wp-admin/admin-ajax.php", "request_method": "POST", "http_referer": f"{ADMIN}{page}", **ME}
            for page in ("post.php?post=1", "post-new.php", "edit.php", "index.php", "", "?a=1", "upload.php", "edit-comments.php")
        ),
        {
            "uri": "/wp-admin/admin-ajax.php",
            "request_method": "POST",
            "http_referer": "https://site.example/?a=/wp-admin/plugins.php",
            **ME,
        },
    ],
)  # fmt: skip
def test_all_else_runs_on_the_nodes_own_copy(render, seen):
    """P1: the heartbeat of an open editor among it."""
    assert author(render, **seen) == "0"


@pytest.mark.parametrize(("who", "pool"), [("0", "visitors"), ("1", "authors")])
def test_pool_and_tree_are_chosen_by_one_decision(render, who, pool):
    nginx = render("web_node/nginx.conf.j2")
    seen = {"wordpress_ha_author": who, "wordpress_ha_here": "/srv/wordpress/trees/1"}
    assert mapped(nginx, "wordpress_ha_pool", seen) == f"wordpress_ha_{pool}"
    tree = mapped(nginx, "wordpress_ha_tree", seen)
    assert tree == ("/srv/wordpress/shared/site" if who == "1" else "/srv/wordpress/trees/1")
    socket = re.search(rf"upstream wordpress_ha_{pool} \{{\s*server unix:(\S+);", nginx)
    name = {"visitors": "wordpress", "authors": "author"}[pool]
    assert socket
    assert f"[{name}]" in render("web_node/pools.conf.j2").split(f"listen = {socket[1]}\n")[0].split("\n\n")[-1]


def test_each_location_of_the_site_uses_the_tree_that_was_decided_on(render):
    """P16: nothing of a request is looked up by the symbolic link once more."""
    nginx = render("web_node/nginx.conf.j2")
    locations = dict(re.findall(r"^    location (\S.*?) \{\n(.*?)^    \}", nginx, re.DOTALL | re.MULTILINE))
    served = {name: text for name, text in locations.items() if "try_files" in text}
    assert len(served) == 4
    for name, text in served.items():
        assert "root $wordpress_ha_tree;" in text, name
    assert "$realpath_root" not in nginx.split("server {")[-1]
    assert "SCRIPT_FILENAME $document_root$fastcgi_script_name;" in locations[r"~ \.php$"]


def test_the_mode_is_the_agents_to_say_and_efs_until_then(render):
    nginx, folder = render("web_node/nginx.conf.j2"), "/run/wordpress_ha/nginx"
    assert f"include {folder}/storage.conf;" in nginx
    assert (
        f"f {folder}/storage.conf 0644 root root - map $host $wordpress_ha_storage {{ default efs; }}"
        in render("web_node/tmpfiles.conf.j2").splitlines()
    )


@pytest.mark.parametrize(
    ("tree", "uri", "fixed"),
    [
        ("/srv/wordpress/trees/1", "/wp-includes/a.js", "1"),
        ("/srv/wordpress/trees/1", "/favicon.ico", "1"),
        ("/srv/wordpress/trees/1", "/wp-content/plugins/a/a.css", "1"),
        ("/srv/wordpress/trees/1", "/blog/wp-content/themes/a/a.css", "1"),
        ("/srv/wordpress/trees/1", "/wp-content/a.css", "1"),
        ("/srv/wordpress/trees/1", "/wp-content/uploads/a.png", "0"),
        ("/srv/wordpress/trees/1", "/blog/wp-content/cache/a.css", "0"),
        ("/srv/wordpress/shared/site", "/wp-includes/a.js", "0"),
        ("/srv/wordpress/docroot", "/wp-includes/a.js", "0"),
    ],
)
def test_what_may_be_kept_open(render, tree, uri, fixed):
    """What lies on the shared files may change in its place at any time."""
    seen = {"wordpress_ha_tree": tree, "uri": uri}
    assert mapped(render("web_node/nginx.conf.j2"), "wordpress_ha_fixed", seen) == fixed

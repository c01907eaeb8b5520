# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nginx on both sides of the cache: towards viewers one server for each distribution, towards origins one for each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .model import Behavior, Distribution, Origin
from .scripts import header_variable, touched

DIRECTORY = "/etc/rehearsal"

#: What CloudFront compresses, besides text/html, which nginx always does.
COMPRESSED_TYPES = (
    "application/javascript application/json application/xml application/xhtml+xml application/rss+xml application/wasm"
    " application/x-javascript application/pdf application/vnd.ms-fontobject font/eot font/opentype font/otf font/ttf"
    " image/svg+xml text/css text/csv text/javascript text/plain text/xml text/x-component"
)
#: From njs to nginx, for every request.
VARIABLES = (
    *("key", "url", "target", "cookie", "host", "agent", "accept", "authorization", "method", "pass", "event", "error"),
    *(f"cloudfront_is_{kind}_viewer" for kind in ("desktop", "mobile", "tablet", "smarttv", "ios", "android")),
    *(f"cloudfront_viewer_{fact}" for fact in ("address", "country", "http_version", "tls")),
    "cloudfront_forwarded_proto",
)
#: From nginx to Varnish and back to nginx; none of them leaves the container.
INTERNAL = {
    "X-Edge-Key": "$edge_key",
    "X-Edge-Url": "$edge_url",
    "X-Edge-Method": "$edge_method",
    "X-Edge-Pass": "$edge_pass",
    "X-Edge-Host": "$edge_host",
    "X-Edge-Distribution": "$edge_distribution",
    "X-Edge-Behavior": "$edge_behavior",
    "X-Edge-Scheme": "$scheme",
    "X-Edge-Id": "$edge_id",
    "X-Edge-Forwarded-For": "$proxy_add_x_forwarded_for",
    "X-Edge-Via": "$edge_via",
}
ONLY_HERE = (*INTERNAL, "X-Edge-Compress", "X-Edge-Secondary")

#: What the container starts with, until the first configuration is applied.
STARTING = "pid /run/nginx.pid;\nevents {}\nhttp { server { listen unix:/run/edge/status.sock; return 503; } }\n"


def quote(text: str) -> str:
    """Return a text as one word of nginx.conf; ``$`` has no escape there, so a variable holds it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${dollar}")
    return f'"{escaped}"'


def render(distributions: Sequence[Distribution], origins: Iterable[Origin], resolver: str, mark: str) -> str:
    """Return nginx.conf. ``mark`` is answered on a socket of its own: whoever reads it there knows what is live."""
    names = {header_variable(name) for one in distributions for item in one.behaviors for name in touched(item)}
    lines = _head(names, resolver, mark)
    if len(distributions) != 1:
        lines += _stranger()
    for one in distributions:
        lines += _distribution(one, alone=len(distributions) == 1)
    servers = [line for origin in origins for line in _origin(origin)]
    if servers:
        lines.append("    map $edge_origin_host $edge_origin_name { '~^(?<edge_bare>[^:]+)' $edge_bare; }")
    return "\n".join([*lines, *servers, "}"]) + "\n"


def _head(names: Iterable[str], resolver: str, mark: str) -> list[str]:
    return [
        "load_module modules/ngx_http_js_module.so;",
        "load_module modules/ngx_http_brotli_filter_module.so;",
        "worker_processes 2;",
        "worker_rlimit_nofile 8192;",
        "worker_shutdown_timeout 5m;",
        # What fails is told with its request line; headers, and the secrets in them, never are.
        "error_log /dev/stderr error;",
        "pid /run/nginx.pid;",
        "events { worker_connections 2048; }",
        "http {",
        "    access_log off;",
        "    server_tokens off;",
        "    absolute_redirect off;",
        f"    js_path {DIRECTORY}/njs/{mark};",
        "    js_import viewer from viewer.js;",
        "    js_import origin from origin.js;",
        *(f"    js_var $edge_{name} '';" for name in (*VARIABLES, *(f"h_{name}" for name in sorted(names)))),
        "    js_set $edge_stamp origin.stamp;",
        "    js_set $edge_signature origin.sign;",
        "    geo $dollar { default '$'; }",
        "    map $http_via $edge_via { '' ''; default '$http_via, '; }",
        # A request that changes something is sent once; others are repeated as often as the origin's attempts say.
        "    map $request_method $edge_second { '~^(GET|HEAD|OPTIONS)$' @attempt_2; default @failed; }",
        f"    resolver {resolver} valid=5s ipv6=off;",
        "    resolver_timeout 5s;",
        "    client_max_body_size 0;",
        "    client_body_buffer_size 128k;",
        "    large_client_header_buffers 8 32k;",
        "    underscores_in_headers on;",
        "    merge_slashes off;",
        "    recursive_error_pages on;",
        "    ssl_session_cache shared:tls:5m;",
        "    proxy_http_version 1.1;",
        "    proxy_buffer_size 64k;",
        "    proxy_buffers 16 64k;",
        "    proxy_busy_buffers_size 128k;",
        "    proxy_pass_header Server;",
        "    proxy_pass_header Date;",
        "    proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;",
        f"    brotli_types {COMPRESSED_TYPES};",
        "    brotli_min_length 1000;",
        f"    gzip_types {COMPRESSED_TYPES};",
        "    gzip_min_length 1000;",
        "    gzip_proxied any;",
        "    gzip_vary on;",
        "    upstream cache { server unix:/run/edge/cache.sock; keepalive 64; }",
        f"    server {{ listen unix:/run/edge/status.sock; location / {{ return 200 {mark}; }} }}",
    ]


def _stranger() -> list[str]:
    """Return the server for names that no distribution has."""
    return [
        "    server {",
        "        listen 80 default_server;",
        "        listen 443 ssl default_server;",
        "        http2 on;",
        f"        ssl_certificate {DIRECTORY}/tls.crt;",
        f"        ssl_certificate_key {DIRECTORY}/tls.key;",
        "        add_header X-Cache 'Error from cloudfront' always;",
        "        location / { return 403 'No distribution has this name.'; }",
        "    }",
    ]


# -- towards viewers ---------------------------------------------------------------------------------------------------


def _distribution(one: Distribution, *, alone: bool) -> list[str]:
    default = " default_server" if alone else ""
    certificate = f"{DIRECTORY}/certs/{one.id}" if has_certificate(one) else f"{DIRECTORY}/tls"
    minimum = str((one.config.get("ViewerCertificate") or {}).get("MinimumProtocolVersion") or "")
    pages = {code: page for code, page in sorted(one.error_responses.items()) if page.get("ResponsePagePath")}
    lines = [
        "    server {",
        f"        listen 80{default};",
        f"        listen 443 ssl{default};",
        f"        http2 {'on' if str(one.config.get('HttpVersion') or 'http2').lower().startswith('http2') else 'off'};",
        f"        server_name {' '.join([one.domain, *one.aliases])};",
        f"        ssl_certificate {certificate}.crt;",
        f"        ssl_certificate_key {certificate}.key;",
        f"        ssl_protocols {'TLSv1.3' if minimum.startswith('TLSv1.3') else 'TLSv1.2 TLSv1.3'};",
        f"        set $edge_distribution {one.id};",
        "        set $edge_id $request_id;",
        "        location / { js_content viewer.handle; }",
    ]
    for code in pages:
        lines.append(f"        location @page_{code} {{ set $edge_page {code}; js_content viewer.errorPage; }}")
    for behavior in {item.name: item for item in one.behaviors}.values():
        lines += _behavior(behavior, pages)
    return [*lines, "    }"]


def _behavior(behavior: Behavior, pages: Mapping[int, Any]) -> list[str]:
    lines = [
        f"        location @{behavior.name} {{",
        f"            set $edge_behavior {behavior.name};",
        "            js_header_filter viewer.respond;",
        "            proxy_pass http://cache$edge_target;",
        "            proxy_method $edge_method;",
        "            proxy_read_timeout 300s;",
        "            proxy_send_timeout 300s;",
        f"            proxy_pass_request_headers {'on' if behavior.headers.everything else 'off'};",
        "            proxy_hide_header X-Edge-Cache;",
        *(f"            proxy_set_header {name} {value};" for name, value in forwarded(behavior).items()),
        *(["            proxy_intercept_errors on;"] if pages else []),
        *(
            f"            error_page {code} ={page.get('ResponseCode') or code} @page_{code};"
            for code, page in pages.items()
        ),
    ]
    return [*lines, "        }"]


def forwarded(behavior: Behavior) -> dict[str, str]:
    """Return what nginx writes into the request for the origin: header -> value; an empty value removes it."""
    plan, mine = behavior.headers, set(touched(behavior))

    def source(name: str) -> str:
        prefix = "$edge_h_" if name.lower() in mine else "$http_"
        return prefix + header_variable(name)

    found = dict.fromkeys(plan.removed, '""')
    if plan.everything:
        found |= {name: source(name) for name in sorted(mine - {gone.lower() for gone in plan.removed})}
    else:
        found |= {name: source(name) for name in plan.kept}
    found |= {name: f"$edge_{header_variable(name)}" for name in plan.generated}
    return found | {
        "Host": "$edge_distribution",
        "Connection": '""',
        "Cookie": "$edge_cookie",
        "User-Agent": "$edge_agent",
        "Authorization": "$edge_authorization",
        "Accept-Encoding": "$edge_accept",
        "Via": '""',
        "X-Forwarded-For": '""',
        **INTERNAL,
        "X-Edge-Compress": "1" if behavior.compress and behavior.accept else '""',
        "X-Edge-Secondary": '""',
    }


# -- towards origins ---------------------------------------------------------------------------------------------------


def _origin(origin: Origin) -> list[str]:
    scheme = {"http-only": "http", "https-only": "https"}.get(origin.protocol_policy, "$http_x_edge_scheme")
    http_port, https_port = origin.ports
    lines = [
        "    server {",
        f"        listen unix:/run/edge/{origin.name}.sock;",
        f"        set $edge_origin {origin.name};",
        f"        set $edge_origin_host {quote(origin.domain)};",
        "        if ($http_x_edge_host) { set $edge_origin_host $http_x_edge_host; }",
        f"        set $edge_origin_scheme {scheme};",
        f"        set $edge_origin_port {https_port};",
        f"        if ($edge_origin_scheme = http) {{ set $edge_origin_port {http_port}; }}",
        f"        set $edge_origin_address {quote(origin.connect_to)};",
        "        gzip on;",
        "        brotli on;",
        *_origin_settings(origin),
    ]
    for number in range(1, origin.attempts + 1):
        following = (
            "@failed" if number == origin.attempts else "$edge_second" if number == 1 else f"@attempt_{number + 1}"
        )
        lines += [
            f"        location {'/' if number == 1 else f'@attempt_{number}'} {{",
            "            js_header_filter origin.respond;",
            f"            proxy_pass $edge_origin_scheme://$edge_origin_address:$edge_origin_port{origin.path}$request_uri;",
            f"            error_page 502 504 = {following};",
            "        }",
        ]
    return [*lines, "        location @failed { js_content origin.failed; }", "    }"]


def _origin_settings(origin: Origin) -> list[str]:
    # An origin's newest protocol goes by the name of the one before it.
    protocols = [*origin.protocols, *(["TLSv1.3"] if "TLSv1.2" in origin.protocols else [])]
    headers = {
        "Host": "$edge_origin_host",
        "Connection": '""',
        "X-Forwarded-For": "$http_x_edge_forwarded_for",
        "Via": '"${http_x_edge_via}1.1 cloudfront.net (CloudFront)"',
        "X-Amz-Cf-Id": "$http_x_edge_id",
        **dict.fromkeys((*ONLY_HERE, "X-Varnish"), '""'),
    }
    if origin.access_control:
        headers["Authorization"] = "$edge_signature"
        headers["X-Amz-Date"] = "$edge_stamp"
        headers["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
    mine = {name.lower() for name in origin.custom_headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in mine}
    headers |= {name: quote(value) for name, value in origin.custom_headers.items()}
    return [
        f"        proxy_connect_timeout {origin.connection_timeout}s;",
        f"        proxy_read_timeout {origin.read_timeout}s;",
        f"        proxy_send_timeout {origin.read_timeout}s;",
        "        proxy_ssl_server_name on;",
        "        proxy_ssl_name $edge_origin_name;",
        "        proxy_ssl_verify on;",
        "        proxy_ssl_verify_depth 4;",
        f"        proxy_ssl_trusted_certificate {DIRECTORY}/trusted.pem;",
        f"        proxy_ssl_protocols {' '.join(protocols)};",
        *(f"        proxy_set_header {name} {value};" for name, value in headers.items()),
    ]


# -- certificates ------------------------------------------------------------------------------------------------------


def has_certificate(one: Distribution) -> bool:
    """Return whether a distribution brings a certificate with its key."""
    return bool(one.certificate and one.certificate.get("certificate") and one.certificate.get("private_key"))


def certificates(distributions: Iterable[Distribution]) -> dict[str, str]:
    """Return the distributions' own certificates and keys by file name."""
    found = {}
    for one in distributions:
        if one.certificate and has_certificate(one):
            parts = [one.certificate["certificate"], one.certificate.get("chain")]
            found[f"certs/{one.id}.crt"] = "".join(part.strip() + "\n" for part in parts if part)
            found[f"certs/{one.id}.key"] = one.certificate["private_key"].strip() + "\n"
    return found

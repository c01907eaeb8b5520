# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Towards origins: protocols, certificates, fail-over, attempts, and the signature for a private bucket."""

from __future__ import annotations

import re
import time

from .cells import Cells


def test_origin_group_fails_over_for_what_may_be_repeated(cells: Cells, fresh) -> None:
    for status, method, answered in (
        (503, "GET", "second"),
        (403, "GET", "second"),
        (403, "HEAD", "second"),
        (404, "GET", "site"),
        (200, "GET", "site"),
        (503, "POST", "site"),
    ):
        path = fresh("group")
        cells.site.tell(path, status=status, body=b"first")
        cells.second.tell(path, body=b"second")
        answer = cells.ask(path, method)
        assert (answer.status == 200) == (answered == "second" or status == 200), (status, method)
        assert bool(cells.second.seen(path)) == (answered == "second"), (status, method)
        assert len(cells.site.seen(path)) == 1


def test_each_origin_of_a_group_is_asked_by_its_own_name(cells: Cells, fresh) -> None:
    path = fresh("group")
    cells.site.tell(path, status=500)
    assert cells.ask(path).status == 200
    assert cells.site.seen(path)[0].headers["host"] == "origin.test"
    assert cells.second.seen(path)[0].headers["host"] == "second.test"
    # The custom headers of the first are not shown to the second.
    assert "x-origin-verify" not in cells.second.seen(path)[0].headers
    assert cells.ask(path).cache == "Hit"


def test_an_origin_that_cannot_be_reached_fails_over_or_is_502(cells: Cells, fresh) -> None:
    path = fresh("half")
    assert cells.ask(path).status == 200
    assert cells.second.seen(path)
    answer = cells.ask(fresh("dead"))
    assert (answer.status, answer.cache) == (502, "Error")
    assert b"could not be satisfied" in answer.body


def test_slow_origins_are_504_after_the_attempts(cells: Cells, fresh) -> None:
    read, written = fresh("slow"), fresh("slow")
    for path in (read, written):
        cells.site.tell(path, delay=2.5)
    started = time.monotonic()
    assert cells.ask(read).status == 504
    assert 1.5 < time.monotonic() - started < 3.5
    assert cells.ask(written, "POST", body=b"x").status == 504
    # What changes something is never sent twice.
    assert (len(cells.site.seen(read)), len(cells.site.seen(written))) == (2, 1)


def test_origin_certificates_are_verified_against_the_name_that_is_asked_for(cells: Cells, fresh) -> None:
    assert cells.ask(fresh("secure")).status == 200
    # Its certificate does not name stranger.test; it does name what this viewer asks for, where Host is forwarded.
    assert cells.ask(fresh("stranger")).status == 502
    assert cells.ask(fresh("named"), headers={"Host": "site.test:8443"}).status == 200
    assert cells.ask(fresh("named"), headers={"Host": "localhost"}).status == 502


def test_match_viewer(cells: Cells, fresh) -> None:
    clear, secured = fresh("either"), fresh("either")
    cells.ask(clear, tls=False)
    cells.ask(secured)
    assert (len(cells.site.seen(clear)), len(cells.secure.seen(clear))) == (1, 0)
    assert (len(cells.site.seen(secured)), len(cells.secure.seen(secured))) == (0, 1)


def test_a_private_bucket_is_asked_with_the_distributions_signature(cells: Cells, fresh) -> None:
    path = fresh("bucket") + "/a%20b.txt"
    assert cells.ask(path, headers={"Authorization": "Basic eDp5"}).status == 200
    (signed,) = cells.bucket.seen(path)
    assert signed.headers["host"] == "bucket.s3.eu-west-1.amazonaws.com"
    assert re.fullmatch(r"\d{8}T\d{6}Z", signed.headers["x-amz-date"])
    assert re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=CLOUDFRONT-E1/\d{8}/eu-west-1/s3/aws4_request, "
        r"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}",
        signed.headers["authorization"],
    )
    assert cells.expected_signature(signed) == signed.headers["authorization"].rsplit("=", 1)[1]

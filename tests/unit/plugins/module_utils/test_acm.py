# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which zone a name belongs to, which names a certificate serves, and what may be one of the wanted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _acm, _plan

LABELS = st.lists(st.sampled_from(["a", "b", "org"]), min_size=1, max_size=4)
NAMES = LABELS.map(".".join)
WILD = st.builds("{}{}".format, st.sampled_from(["", "*."]), NAMES)


@given(WILD, st.lists(NAMES, max_size=6))
def test_the_zone_with_the_longest_fitting_name_is_chosen(name: str, zones: list[str]) -> None:
    fitting = [zone for zone in zones if f".{_acm.base(name)}".endswith(f".{zone}")]
    found = _acm.zone_of(name, {zone: f"id of {zone}" for zone in zones})
    assert found == (max(fitting, key=len) if fitting else None)


@given(st.lists(WILD, max_size=4), WILD)
def test_a_wildcard_serves_one_label_and_itself(names: list[str], wanted: str) -> None:
    patterns = [re.escape(name).replace(r"\*", r"([^.]+)") for name in names]
    assert _acm.covers(names, wanted) == any(re.fullmatch(pattern, wanted) for pattern in patterns)


@given(st.lists(WILD, min_size=1, max_size=5))
def test_names_in_any_order_and_spelling_are_the_same(names: list[str]) -> None:
    first, others = names[0], names[1:]
    wanted = _acm.checked_names(first, others)
    assert wanted == _acm.checked_names(f"{first.upper()}.", [*reversed(others), first, *others])
    assert wanted[0] == first
    assert len(set(wanted)) == len(wanted)
    assert _acm.names_of({"DomainName": first, "SubjectAlternativeNames": names}) == wanted
    assert _acm.token(wanted, "RSA_2048") == _acm.token(list(reversed(wanted)), "RSA_2048")
    assert re.fullmatch(r"\w{1,32}", _acm.token(wanted, "RSA_2048"))
    assert len({_acm.token(wanted, "RSA_2048", attempt) for attempt in range(3)}) == 3


@given(st.lists(WILD, min_size=1, max_size=4), st.lists(WILD, max_size=4), st.booleans())
def test_no_certificate_with_the_wanted_names_is_overlooked(
    wanted: list[str], more: list[str], truncated: bool
) -> None:
    """ACM lists some of a certificate's names; what is then described has to hold every one that could fit."""
    names = [*wanted, *more]
    summary: dict[str, Any] = {"DomainName": names[-1], "SubjectAlternativeNameSummaries": names}
    assert _acm.may_have(summary, wanted)
    assert _acm.may_have({"DomainName": names[-1]}, wanted)
    if truncated:
        few = {**summary, "SubjectAlternativeNameSummaries": names[:1], "HasAdditionalSubjectAlternativeNames": True}
        assert _acm.may_have(few, wanted)


def test_a_certificate_for_something_else_is_not_described() -> None:
    summary = {"DomainName": "a.org", "SubjectAlternativeNameSummaries": ["a.org", "*.a.org"]}
    assert _acm.may_have(summary, ["x.a.org"])
    assert not _acm.may_have(summary, ["x.a.org", "b.org"])


def test_one_record_validates_a_wildcard_and_its_parent() -> None:
    record = {"Name": "_1.a.org.", "Type": "CNAME", "Value": "_2."}
    options = [{"DomainName": name, "ResourceRecord": record} for name in ("*.a.org", "a.org")]
    pending = {"DomainName": "b.org", "ValidationStatus": "PENDING_VALIDATION"}
    certificate = {"DomainValidationOptions": [*options, pending]}
    assert _acm.records_of(certificate) == {"a.org": {"name": "_1.a.org.", "type": "CNAME", "value": "_2."}}
    assert _acm.waiting_for(certificate) == ["*.a.org", "a.org", "b.org"]


@pytest.mark.parametrize("value", ["*.example.org", "www.example.org"])
def test_a_tag_takes_no_asterisk(value: str) -> None:
    assert re.fullmatch(r"[\w\s.:/=+@-]*", _acm.tag_value(value))


@pytest.mark.parametrize(
    "name", ["www.example.org", "*.example.org", "xn--mnchen-3ya.example.org", "_dmarc.example.org"]
)
def test_public_names_can_be_issued(name: str) -> None:
    _acm.refuse_unissuable([name])


@pytest.mark.parametrize("name", ["localhost", "*.*.example.org", "a..b.org", "-a.org", "10.0.0.1", "a b.org", ""])
def test_other_names_cannot(name: str) -> None:
    with pytest.raises(_plan.Refused, match="public host names"):
        _acm.refuse_unissuable([name])

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of the plan core, for any two trees."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan

ORDER = ("vpc", "subnet", "gateway", "route")
FIELDS = ("name", "cidr", "size", "tags")

values = st.one_of(
    st.text("abc", max_size=3),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.text("ab", max_size=2), max_size=2),
    st.dictionaries(st.text("ab", max_size=1), st.text("ab", max_size=1), max_size=2),
)
keys = st.builds("{}/{}".format, st.sampled_from(ORDER), st.text("abc/", min_size=1, max_size=3))
fields = st.dictionaries(st.sampled_from(FIELDS), values)
trees = st.dictionaries(keys, fields, max_size=6)
# A wanted field may be None, which means: leave it alone.
wishes = st.dictionaries(keys, st.dictionaries(st.sampled_from(FIELDS), st.none() | values), max_size=6)
some_types = st.sets(st.sampled_from(ORDER))


def made(change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
    """A handler that adds what only the API can know."""
    return {"id": f"id of {change.key}"} if change.action == _plan.CREATE else {}


HANDLERS = {f"{action} {kind}": made for action in (_plan.CREATE, _plan.UPDATE, _plan.DELETE) for kind in ORDER}


@given(trees, some_types)
def test_nothing_is_done_where_nothing_differs(tree, purge):
    assert _plan.plan(tree, tree, ORDER, purge) == []


@given(trees, wishes, some_types)
def test_applying_a_plan_gives_what_was_wanted(current, desired, purge):
    result = _plan.applied(current, _plan.plan(current, desired, ORDER, purge))
    for key, wanted in desired.items():
        for name, value in wanted.items():
            if value is not None:
                assert result[key][name] == value
            else:
                assert result[key].get(name) == current.get(key, {}).get(name)
    assert _plan.plan(result, desired, ORDER, purge) == []


@given(trees, wishes, some_types)
def test_a_purge_removes_exactly_what_is_owned_and_not_wanted(current, desired, purge):
    result = _plan.applied(current, _plan.plan(current, desired, ORDER, purge))
    kept = {key for key in current if key in desired or _plan.kind_of(key) not in purge}
    assert set(result) == kept | set(desired)


@given(trees, wishes, some_types)
def test_fields_nobody_mentions_survive(current, desired, purge):
    current = {key: {**item, "unknown to us": key} for key, item in current.items()}
    result = _plan.applied(current, _plan.plan(current, desired, ORDER, purge))
    for key, item in result.items():
        if key in current:
            assert item["unknown to us"] == key


@given(trees, wishes, some_types)
def test_order_is_kept_and_deletions_are_reversed_and_last(current, desired, purge):
    changes = _plan.plan(current, desired, ORDER, purge)
    deletions = [change for change in changes if change.action == _plan.DELETE]
    others = [change for change in changes if change.action != _plan.DELETE]
    assert changes == others + deletions
    ranks = [ORDER.index(change.kind) for change in others]
    assert ranks == sorted(ranks)
    reverse = [ORDER.index(change.kind) for change in deletions]
    assert reverse == sorted(reverse, reverse=True)


@given(trees, wishes, some_types, st.randoms())
def test_the_order_in_which_resources_are_given_does_not_matter(current, desired, purge, random):
    def shuffled(tree):
        items = list(tree.items())
        random.shuffle(items)
        return dict(items)

    changes = _plan.plan(current, desired, ORDER, purge)
    assert _plan.plan(shuffled(current), shuffled(desired), ORDER, purge) == changes


@given(trees, wishes, some_types)
def test_planning_and_applying_change_none_of_their_inputs(current, desired, purge):
    before = copy.deepcopy((current, desired))
    changes = _plan.plan(current, desired, ORDER, purge)
    planned = copy.deepcopy(changes)
    _plan.applied(current, changes)
    _plan.execute(current, changes, HANDLERS)
    assert (current, desired) == before
    assert changes == planned


@given(trees, wishes, some_types)
def test_a_real_run_ends_where_check_mode_said_it_would(current, desired, purge):
    changes = _plan.plan(current, desired, ORDER, purge)
    predicted = _plan.applied(current, changes)
    real = _plan.execute(current, changes, HANDLERS)
    assert set(real) == set(predicted)
    for key, item in predicted.items():
        assert {name: value for name, value in real[key].items() if name != "id"} == item


@given(trees, wishes)
def test_a_run_killed_at_any_step_is_completed_by_the_next(current, desired):
    changes = _plan.plan(current, desired, ORDER, ORDER)
    whole = _plan.applied(current, changes)
    for done in range(len(changes) + 1):
        left = _plan.applied(current, changes[:done])
        assert _plan.applied(left, _plan.plan(left, desired, ORDER, ORDER)) == whole


@given(trees, wishes, some_types)
def test_the_diff_holds_what_differs_and_nothing_else(current, desired, purge):
    changes = _plan.plan(current, desired, ORDER, purge)
    shown = _plan.diff(changes)
    for change in changes:
        if change.action == _plan.UPDATE:
            before, after = shown["before"][change.key], shown["after"][change.key]
            assert set(before) == set(after)
            assert before
            assert all(before[name] != after[name] for name in before)
    assert set(shown["before"]) | set(shown["after"]) == {change.key for change in changes}
    json.dumps(shown)


@given(trees, st.sampled_from(FIELDS), values, values)
def test_secrets_are_in_no_output(tree, field, old, new):
    secret_old, secret_new = f"old-secret-{old}", f"new-secret-{new}"
    current = {**tree, "vpc/x": {**tree.get("vpc/x", {}), field: secret_old}, "vpc/gone": {field: secret_old}}
    desired = {"vpc/x": {field: secret_new}, "vpc/fresh": {field: secret_new}}
    changes = _plan.plan(current, desired, ORDER, purge=ORDER)
    text = json.dumps([_plan.diff(changes, [field]), [change.summary([field]) for change in changes]])
    assert secret_old not in text
    assert secret_new not in text
    # Masked in what is shown, not in what is done.
    assert _plan.applied(current, changes)["vpc/x"][field] == secret_new


@given(values, st.integers(0, 4))
def test_an_unknown_is_found_at_any_depth(value, depth):
    assert _plan.is_known(value)
    for wrapped in (_plan.UNKNOWN, f"{_plan.UNKNOWN}.efs.example", f"arn:{_plan.UNKNOWN}"):
        item = wrapped
        for level in range(depth):
            item = ([value, item], {"key": item}, (item,))[level % 3]
        assert not _plan.is_known(item)


@given(fields, st.sampled_from(FIELDS), values, values)
def test_what_aws_cannot_change_is_refused_with_both_values(item, field, old, new):
    current = {"vpc/x": {**item, field: old}}
    desired = {"vpc/x": {field: new}}
    if old == new:
        assert _plan.plan(current, desired, ORDER, immutable={"vpc": [field]}) == []
        return
    with pytest.raises(_plan.ImmutableChange) as refusal:
        _plan.plan(current, desired, ORDER, immutable={"vpc": [field]})
    for word in (field, "vpc/x", repr(old), repr(new)):
        assert word in str(refusal.value)
    # The same field of another type, a new resource and an unset field are no concern of it.
    assert _plan.plan(current, desired, ORDER, immutable={"subnet": [field]})
    assert _plan.plan({}, desired, ORDER, immutable={"vpc": [field]})
    assert _plan.plan(current, {"vpc/x": {field: None}}, ORDER, immutable={"vpc": [field]}) == []


def test_absent_is_a_plan_towards_nothing():
    current = {"vpc/a": {"name": "a"}, "subnet/b": {"name": "b"}, "route/c": {"name": "c"}}
    changes = _plan.plan(current, {}, ORDER, purge=ORDER)
    assert [(change.action, change.key) for change in changes] == [
        ("delete", "route/c"),
        ("delete", "subnet/b"),
        ("delete", "vpc/a"),
    ]
    assert _plan.applied(current, changes) == {}


def test_later_handlers_see_the_ids_of_earlier_ones():
    seen = []

    def create_subnet(_change, tree):
        seen.append(tree["vpc/a"]["id"])
        return {}

    changes = _plan.plan({}, {"subnet/b": {"name": "b"}, "vpc/a": {"name": "a"}}, ORDER)
    _plan.execute({}, changes, {"create vpc": lambda _change, _tree: {"id": "vpc-1"}, "create subnet": create_subnet})
    assert seen == ["vpc-1"]


@pytest.mark.parametrize(("key", "kind", "name"), [("subnet/app/a", "subnet", "app/a"), ("vpc", "vpc", "vpc")])
def test_keys(key, kind, name):
    assert (_plan.kind_of(key), _plan.name_of(key)) == (kind, name)

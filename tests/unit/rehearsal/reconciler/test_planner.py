# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's laws: applying a plan leads to what is wanted, a second plan is empty, the dead stay dead."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordpress_ha_rehearsal.reconciler.planner import Container, Network, Observed, allocate, plan

NAMES = ["a", "b", "c", "d"]
NETWORKS = ["n1", "n2"]

containers = st.builds(
    Container,
    name=st.sampled_from(NAMES),
    kind=st.sampled_from(["ec2", "rds", "cloud"]),
    key=st.just("k"),
    image=st.sampled_from(["i1", "i2"]),
    network=st.sampled_from(NETWORKS),
    address=st.just("10.0.0.9"),
    mortal=st.booleans(),
    running=st.booleans(),
)
wanted_lists = st.lists(containers, unique_by=lambda container: container.name)
observed_lists = st.lists(
    st.builds(
        Observed,
        name=st.sampled_from(NAMES),
        kind=st.just("ec2"),
        key=st.just("k"),
        fingerprint=st.sampled_from(["x", "y"]),
        address=st.just(""),
        running=st.booleans(),
    ),
    unique_by=lambda seen: seen.name,
)


def apply(actions, observed: dict, networks: set) -> None:
    """What the engine would have after the actions."""
    for action in actions:
        if action.verb == "remove":
            del observed[action.name]
        elif action.verb == "create_network":
            networks.add(action.name)
        elif action.verb == "remove_network":
            networks.discard(action.name)
        elif action.verb == "stop":
            observed[action.name] = dataclasses.replace(observed[action.name], running=False)
        else:
            wanted = action.subject
            observed[action.name] = Observed(
                wanted.name, wanted.kind, wanted.key, wanted.fingerprint, wanted.address, True
            )


@given(wanted_lists, observed_lists, st.sets(st.sampled_from([*NETWORKS, "old"])))
def test_plan_leads_to_what_is_wanted(wanted, seen, present) -> None:
    networks = [Network(name, "10.0.0.0/24") for name in sorted({container.network for container in wanted})]
    observed = {one.name: one for one in seen}
    for _pass in range(3):
        apply(plan(wanted, networks, observed, present), observed, present)
    assert plan(wanted, networks, observed, present) == []
    assert {name for name, one in observed.items() if one.running} == {one.name for one in wanted if one.running}
    assert present == {network.name for network in networks}


@given(wanted_lists, observed_lists)
def test_order_of_input_does_not_matter(wanted, seen) -> None:
    observed = {one.name: one for one in seen}
    backwards = {one.name: one for one in reversed(seen)}
    assert plan(wanted, [], observed, []) == plan(list(reversed(wanted)), [], backwards, [])


def node(**changes) -> Container:
    values = {
        "name": "i-1",
        "kind": "ec2",
        "key": "i-1",
        "image": "ami",
        "network": "n1",
        "address": "10.0.0.5",
        "mortal": True,
    }
    return Container(**(values | changes))


def test_dead_instance_is_neither_started_nor_made_again() -> None:
    dead = Observed("i-1", "ec2", "i-1", node().fingerprint, "10.0.0.5", False)
    network = [Network("n1", "10.0.0.0/24")]
    assert plan([node()], network, {"i-1": dead}, ["n1"], settled=["i-1"]) == []
    assert plan([node()], network, {}, ["n1"], settled=["i-1"]) == []
    assert [str(action) for action in plan([node()], network, {}, ["n1"])] == ["run i-1"]


def test_resolver_comes_first_and_networks_before_containers() -> None:
    actions = plan([node(), node(name="z", kind="cloud", mortal=False)], [Network("n1", "10.0.0.0/24")], {}, [])
    assert [str(action) for action in actions] == ["create_network n1", "run z", "run i-1"]


def test_changed_service_gets_a_new_container_a_changed_instance_does_not() -> None:
    seen = Observed("i-1", "ec2", "i-1", "another fingerprint", "10.0.0.5", True)
    network = [Network("n1", "10.0.0.0/24")]
    assert plan([node()], network, {"i-1": seen}, ["n1"]) == []
    assert [str(action) for action in plan([node(mortal=False)], network, {"i-1": seen}, ["n1"])] == ["remove i-1"]


def test_addresses_come_from_the_top_are_kept_and_never_shared() -> None:
    assert allocate("10.40.0.0/24", ["b", "a"], {}, ["10.40.0.254"]) == {"a": "10.40.0.253", "b": "10.40.0.252"}
    assert allocate("10.40.0.0/24", ["a", "b"], {"b": "10.40.0.254"}, []) == {"b": "10.40.0.254", "a": "10.40.0.253"}
    with pytest.raises(ValueError, match="no free address"):
        allocate("10.40.0.0/28", ["a"], {}, [f"10.40.0.{last}" for last in range(16)])


def test_gateway_is_the_router_of_the_vpc() -> None:
    assert Network("n", "10.40.0.0/16").gateway == "10.40.0.1"

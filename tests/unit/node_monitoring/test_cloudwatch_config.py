# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudWatch agent's configuration gets its stack at boot."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def stack(cloudwatch_config, monkeypatch):
    """Return a function that says what the instance's tag answers, in turn."""
    monkeypatch.setattr(cloudwatch_config.time, "sleep", lambda _seconds: None)

    def answers(*texts: str) -> None:
        left = list(texts)

        def imds(path: str) -> str:
            assert path == "tags/instance/wordpress_ha:stack"
            text = left.pop(0) if len(left) > 1 else left[0]
            if not text:
                raise cloudwatch_config.boot_agent.NotYet("not yet")
            return text

        monkeypatch.setattr(cloudwatch_config.boot_agent, "imds", imds)

    return answers


def test_every_mark_becomes_the_stacks_name(cloudwatch_config, stack, tmp_path):
    stack("blog")
    (tmp_path / "template").write_text(json.dumps({"a": ["/wordpress_ha/@STACK@/x"], "b": {"c": "@STACK@", "d": 60}}))
    assert cloudwatch_config.main([str(tmp_path / "template"), str(tmp_path / "target")]) == 0
    assert json.loads((tmp_path / "target").read_text()) == {"a": ["/wordpress_ha/blog/x"], "b": {"c": "blog", "d": 60}}


def test_the_tag_is_waited_for(cloudwatch_config, stack):
    stack("", "", "blog")
    assert cloudwatch_config.stack_name() == "blog"


@pytest.mark.parametrize("name", ["", 'a"b', "a b", "../x"])
def test_what_is_no_name_ends_it(cloudwatch_config, stack, name):
    stack(name)
    with pytest.raises(SystemExit):
        cloudwatch_config.stack_name()

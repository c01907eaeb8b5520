# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render the node roles' templates as Ansible would, without a host: the same engine, the roles' own defaults and vars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from role_files import ROLES, role_variables


@pytest.fixture(scope="session")
def render() -> Callable[..., str]:
    """Return a function that renders ``<role>/<template>`` with overriding variables; what it rendered it keeps."""
    kept: dict[str, str] = {}

    def rendered(template: str, **overrides: Any) -> str:
        key = repr((template, sorted(overrides.items(), key=lambda item: item[0])))
        if key not in kept:
            kept[key] = anew(template, **overrides)
        return kept[key]

    def anew(template: str, **overrides: Any) -> str:
        from ansible.template import trust_as_template

        role, name = template.split("/", 1)
        loader = DataLoader()
        loader.set_basedir(str(ROLES / role / "templates"))  # what a template includes
        text = (ROLES / role / "templates" / name).read_text()
        # The template module's way: a block's own line end is not kept.
        text = "#jinja2: trim_blocks: True\n" + text
        templar = Templar(loader, variables=role_variables(role) | overrides)
        return str(templar.template(trust_as_template(text), escape_backslashes=False))

    return rendered


@pytest.fixture
def render_text() -> Callable[..., str]:
    """Return a function that renders a text with a role's variables and overriding ones, on an amd64 machine."""

    def rendered(role: str, text: str, **overrides: Any) -> str:
        from ansible.template import trust_as_template

        facts = {"ansible_facts": {"architecture": "x86_64"}}
        templar = Templar(DataLoader(), variables=role_variables(role) | facts | overrides)
        return str(templar.template(trust_as_template(text)))

    return rendered


@pytest.fixture
def argument_specs() -> Callable[[str], dict[str, Any]]:
    """Return a function that loads a role's argument specification."""
    return lambda role: yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]


@pytest.fixture
def defaults() -> Callable[[str], dict[str, Any]]:
    """Return a function that loads a role's defaults, unrendered."""
    return lambda role: yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the module tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import contract
import pytest


@pytest.fixture
def aws() -> Iterator[Callable[[str], Any]]:
    """A fresh, empty moto account; call it with a service's name for a plain client."""
    with contract.account():
        yield lambda service: boto3.client(service, region_name="us-east-1")

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

from wordpress_ha_rehearsal.emulator.testing import Emulator, running


@pytest.fixture
def aws() -> Iterator[Callable[[str], Any]]:
    """A fresh, empty moto account; call it with a service's name for a plain client."""
    with contract.account():
        yield lambda service: boto3.client(service, region_name="us-east-1")


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    """One emulator per test process; starting it takes longer than most tests."""
    with running("instant") as emulator:
        yield emulator


@pytest.fixture
def emulated(_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[contract.Emulated]:
    """An empty account of the rehearsal's emulator, for what moto lacks (CloudFront above all).

    Modules reach it through the environment; call it with a service's name for a plain client, whose calls are not
    counted. ``emulated.emulator`` reads the call log and the data plane.
    """
    with contract.emulator_account(_emulator, monkeypatch):
        yield contract.Emulated(_emulator)

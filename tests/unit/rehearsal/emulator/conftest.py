# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two emulators for these tests, one per kind of data plane, and a small web tier to try them on."""

from __future__ import annotations

import pytest
from web_tier import WebTier

from wordpress_ha_rehearsal.emulator.testing import Emulator, running


@pytest.fixture(scope="session")
def _instant():
    with running("instant") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def _external():
    with running("external") as emulator:
        yield emulator


@pytest.fixture
def instant(_instant: Emulator) -> Emulator:
    """An emulator in which everything is ready at once."""
    _instant.forget()
    return _instant


@pytest.fixture
def external(_external: Emulator) -> Emulator:
    """An emulator that waits for reports, with an empty account."""
    _external.reset()
    return _external


@pytest.fixture
def tier(external: Emulator) -> WebTier:
    """A web tier of two healthy members on an emulator that waits for reports."""
    made = WebTier(external)
    made.ready()
    return made


@pytest.fixture
def instant_tier(instant: Emulator) -> WebTier:
    """A web tier on an emulator in which everything is ready at once."""
    return WebTier(instant)

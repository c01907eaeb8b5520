# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end-to-end tests of the rehearsal: one stack, built once by ``make rehearsal``, then used, broken, scaled and rolled.

They run in the order of their files' names. A rehearsal that already runs in this checkout is taken down first: these tests
prove what a fresh clone does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .site import Site


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep", action="store_true", help="use a rehearsal that runs already, and leave it running")


def pytest_configure(config: pytest.Config) -> None:
    config.option.verbose = max(config.option.verbose, 1)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site()
    if request.config.getoption("--keep"):
        yield site
        return
    site.make("rehearsal-down")
    yield site
    site.make("rehearsal-down")

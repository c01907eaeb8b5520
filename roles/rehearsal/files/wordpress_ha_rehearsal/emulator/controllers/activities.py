# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scaling activities: what an Auto Scaling group did and why, in the shape of DescribeScalingActivities."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

#: Activities kept per group.
HISTORY = 100


def record(group: Any, description: str, cause: str, status: str = "InProgress") -> dict[str, Any]:
    """Add a scaling activity, or end the one that is in progress under the same description."""
    now = datetime.now(UTC)
    for activity in group.activities:
        if activity["Description"] == description and activity["StatusCode"] == "InProgress":
            if status != "InProgress":
                activity.update(StatusCode=status, EndTime=now, Progress=100)
            return dict(activity)
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Description": description,
        "Cause": cause,
        "StartTime": now,
        "StatusCode": status,
        "Progress": 100 if status == "Successful" else 50,
        "Details": "{}",
    }
    if status == "Successful":
        activity["EndTime"] = now
    group.activities[:] = [activity, *group.activities][:HISTORY]
    return activity

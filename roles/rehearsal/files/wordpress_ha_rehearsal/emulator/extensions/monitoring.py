# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudWatch, its logs, and SNS: alarms and subscriptions that are checked and wait as at AWS, keys of log groups."""

from __future__ import annotations

import json
from typing import Any

from moto.cloudwatch.exceptions import DashboardInvalidInputError, InvalidParameterCombination, InvalidParameterValue
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.responses import ActionResult, EmptyResult
from moto.kms.models import kms_backends
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.responses import LogsResponse
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import sns_backends
from moto.sns.responses import SNSResponse

from . import extension
from .patching import Function, add, wrap

PENDING = "PendingConfirmation"
#: The longest that an alarm may look back, for periods of less than an hour and for the others.
LONGEST = (24 * 3600, 7 * 24 * 3600)


def _topic_exists(arn: str, account: str) -> bool:
    region = arn.split(":")[3]
    return arn in sns_backends[account][region].topics


@extension(
    "cloudwatch-alarm-checks", "alarms are taken that look back too long, tell nobody's topic, or compare two series"
)
def _alarm_checks() -> None:
    @wrap(CloudWatchBackend, "put_metric_alarm")
    def put(original: Function, self: Any, **alarm: Any) -> Any:
        metrics = alarm.get("metric_data_queries") or []
        returned = [one for one in metrics if str(one.return_data).lower() == "true"]
        if metrics and len(returned) != 1:
            raise InvalidParameterCombination("Exactly one element of the metrics list should return data.")
        period = int(alarm.get("period") or 60)
        if period * int(alarm.get("evaluation_periods") or 1) > LONGEST[period >= 3600]:
            raise InvalidParameterCombination(
                "Metrics cannot be checked across more than a day (EvaluationPeriods * Period)."
            )
        for arn in [*(alarm.get("alarm_actions") or []), *(alarm.get("ok_actions") or [])]:
            if arn.split(":")[2] != "sns" or arn.split(":")[3] != self.region_name:
                raise InvalidParameterValue(
                    f"Invalid region {arn.split(':')[3]} specified. Only {self.region_name} is supported."
                )
            if not _topic_exists(arn, self.account_id):
                raise InvalidParameterValue(f"There is no topic {arn}.")  # AWS would take it, and tell nobody
        return original(self, **alarm)

    @wrap(CloudWatchBackend, "put_dashboard")
    def put_dashboard(original: Function, self: Any, name: str, body: str) -> Any:
        try:
            widgets = json.loads(body)["widgets"]
        except (ValueError, KeyError, TypeError) as error:
            raise DashboardInvalidInputError(f"The field DashboardBody must be a valid JSON object: {error}") from error
        if any(one.get("x", 0) + one.get("width", 6) > 24 for one in widgets):
            raise DashboardInvalidInputError("The dashboard body is invalid: a widget is wider than the dashboard.")
        return original(self, name, body)


def _listed(original: Function, response: Any) -> Any:
    """Answer a listing in which what was not confirmed has no ARN yet."""
    answer = original(response)
    answer.result["Subscriptions"] = [
        {
            "SubscriptionArn": PENDING if getattr(one, "unconfirmed", False) else one.arn,
            "Owner": one.account_id,
            "Protocol": one.protocol,
            "Endpoint": one.endpoint,
            "TopicArn": one.topic.arn,
        }
        for one in answer.result["Subscriptions"]
    ]
    return answer


@extension("sns-email-confirmation", "an address is subscribed at once, without anybody confirming it")
def _confirmation() -> None:
    wrap(SNSResponse, "list_subscriptions")(_listed)
    wrap(SNSResponse, "list_subscriptions_by_topic")(_listed)

    @wrap(SNSResponse, "subscribe")
    def subscribe(original: Function, self: Any) -> ActionResult:
        known = set(self.backend.subscriptions)
        answer = original(self)
        one = self.backend.subscriptions[answer.result["SubscriptionArn"]]
        if one.protocol == "email" and one.arn not in known:
            one.unconfirmed = True
        return (
            ActionResult({"SubscriptionArn": "pending confirmation"}) if getattr(one, "unconfirmed", False) else answer
        )

    @wrap(SNSResponse, "confirm_subscription")
    def confirm(original: Function, self: Any) -> ActionResult:
        """Confirm an address; it stands for the token that its mail would hold."""
        for one in self.backend.subscriptions.values():
            if one.topic.arn == self._get_param("TopicArn") and one.endpoint == self._get_param("Token"):
                one.unconfirmed = False
                return ActionResult({"SubscriptionArn": one.arn})
        return original(self)  # type: ignore[no-any-return]

    @wrap(SNSResponse, "unsubscribe")
    def unsubscribe(original: Function, self: Any) -> EmptyResult:
        if not self._get_param("SubscriptionArn").startswith("arn:"):
            raise SNSInvalidParameter("Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements")
        return original(self)  # type: ignore[no-any-return]


def _log_group(response: Any) -> Any:
    name = response._get_param("logGroupName")
    if name not in response.logs_backend.groups:
        raise ResourceNotFoundException()
    return response.logs_backend.groups[name]


@extension("logs-group-keys", "a log group's key can neither be set nor taken away after its creation")
def _group_keys() -> None:
    @add(LogsResponse)
    def associate_kms_key(self: Any) -> str:
        group, key = _log_group(self), self._get_param("kmsKeyId")
        known = kms_backends[self.current_account][self.region].keys.values()
        if key not in {one.arn for one in known}:
            raise InvalidParameterException("The specified KMS Key Id could not be found.", "kmsKeyId", key)
        group.kms_key_id = key
        return ""

    @add(LogsResponse)
    def disassociate_kms_key(self: Any) -> str:
        _log_group(self).kms_key_id = None
        return ""

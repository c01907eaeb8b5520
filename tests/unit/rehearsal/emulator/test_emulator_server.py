# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator as a server: names of operations, the call log, errors, host names on the socket, a clean end."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from wordpress_ha_rehearsal.emulator import errors
from wordpress_ha_rehearsal.emulator.operations import Operation, operation_of
from wordpress_ha_rehearsal.emulator.testing import running

SIGNED = "AWS4-HMAC-SHA256 Credential=rehearsal/20261122/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"


def environ(service="", method="POST", path="/", host="127.0.0.1:4566", **more):
    made = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": host, "QUERY_STRING": "", **more}
    return {**made, "HTTP_AUTHORIZATION": SIGNED.format(service)} if service else made


FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("request_", "body", "name", "write"),
    [
        (environ("ec2", **FORM), b"Action=RunInstances&Version=2016-11-15", "ec2:RunInstances", True),
        (environ("ec2", **FORM), b"Action=DescribeVpcs&Version=2016-11-15", "ec2:DescribeVpcs", False),
        (environ("elasticloadbalancing", **FORM), b"Action=CreateRule&Version=2015-12-01", "elbv2:CreateRule", True),
        (environ("ssm", HTTP_X_AMZ_TARGET="AmazonSSM.GetParametersByPath"), b"{}", "ssm:GetParametersByPath", False),
        (environ("secretsmanager", HTTP_X_AMZ_TARGET="secretsmanager.PutSecretValue"), b"{}", "secretsmanager:PutSecretValue", True),
        (environ("elasticfilesystem", "PUT", "/2015-02-01/file-systems/fs-1/backup-policy"), b"{}", "efs:PutBackupPolicy", True),
        (environ("elasticfilesystem", "GET", "/2015-02-01/mount-targets"), b"", "efs:DescribeMountTargets", False),
        (environ("s3", "PUT", "/bucket/a/key"), b"x", "s3:PutObject", True),
        (environ("s3", "HEAD", "/bucket"), b"", "s3:HeadBucket", False),
        (environ("", "GET", "/a/key", "bucket.s3.us-east-1.amazonaws.com"), b"", "s3:GetObject", False),
        (environ("monitoring", path="/service/GraniteServiceVersion20100801/operation/PutMetricAlarm"), b"", "cloudwatch:PutMetricAlarm", True),
        (environ("", host="ssm.eu-central-1.amazonaws.com", HTTP_X_AMZ_TARGET="AmazonSSM.GetParameter"), b"{}", "ssm:GetParameter", False),
        (environ("elasticfilesystem", "GET", "/2015-02-01/nothing"), b"", "efs:GET /2015-02-01/nothing", False),
    ],
)  # fmt: skip
def test_a_request_is_named_by_its_operation(request_, body, name, write):
    operation = operation_of(request_, body)
    assert (operation.name, operation.write) == (name, write)


def test_the_region_comes_from_credential_or_host():
    assert operation_of(environ("ssm", HTTP_X_AMZ_TARGET="x.GetParameter"), b"").region == "us-east-1"
    assert operation_of(environ("", host="ssm.eu-west-1.amazonaws.com"), b"").region == "eu-west-1"


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("ec2", "describe_fast_launch_images", {}),
        ("elasticache", "describe_global_replication_groups", {}),
        ("ssm", "describe_instance_information", {}),
        ("efs", "describe_account_preferences", {}),
        ("cloudwatch", "put_composite_alarm", {"AlarmName": "a", "AlarmRule": "x"}),
        ("cloudfront", "list_streaming_distributions", {}),
        ("lightsail", "get_instances", {}),
    ],
)
def test_what_is_missing_is_an_error_that_names_it(instant, service, call, arguments):
    client = instant.client(service)
    with pytest.raises(ClientError) as error:
        getattr(client, call)(**arguments)
    operation = client.meta.method_to_api_mapping[call]
    assert error.value.response["Error"]["Code"] == "NotImplemented"
    assert f"{service}:{operation}" in str(error.value)
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert instant.calls(service)[-1]["error"] == "NotImplemented"


def test_a_crash_is_told_in_the_protocol_of_the_service():
    status, _unused, body = errors.crashed(Operation("rds", "CreateDBCluster", "us-east-1", True), KeyError("x"))
    assert status.startswith("501")
    assert b"<Code>InternalFailure</Code>" in body and b"rds:CreateDBCluster: KeyError" in body


def test_the_call_log_tells_reads_from_writes_and_holds_no_values(instant):
    ssm = instant.client("ssm")
    ssm.put_parameter(Name="/t/log", Value="canary-value", Type="String", Overwrite=True)
    ssm.get_parameter(Name="/t/log")
    with pytest.raises(ClientError):
        ssm.get_parameter(Name="/t/none")
    put, get, missing = instant.calls()
    assert set(put) == {"time", "service", "action", "write", "status", "user_agent", "ms"}
    assert (put["action"], put["write"], get["write"]) == ("PutParameter", True, False)
    assert (missing["status"], missing["error"]) == (400, "ParameterNotFound")
    assert instant.writes() == ["ssm:PutParameter"]
    assert "canary-value" not in instant.log.read_text(encoding="utf-8")


def test_data_plane_calls_are_not_logged_and_wrong_ones_are_refused(instant):
    assert instant.desired()["region"] == "us-east-1"
    connection = http.client.HTTPConnection(instant.endpoint_url.removeprefix("http://"))
    for body in (b"no json", b"[]", b'{"targets": [{}]}'):
        connection.request("POST", "/_data_plane/observed", body)
        answer = connection.getresponse()
        assert (answer.status, "error" in json.loads(answer.read())) == (400, True)
    connection.request("GET", "/_data_plane/nothing")
    assert connection.getresponse().status == 404
    assert instant.calls() == []


def test_objects_travel_whole_over_one_connection(instant):
    s3 = instant.client("s3")
    s3.create_bucket(Bucket="whole")
    content = bytes(range(256)) * 4000
    for key in ("a", "b/c"):
        s3.put_object(Bucket="whole", Key=key, Body=content)
        assert s3.get_object(Bucket="whole", Key=key)["Body"].read() == content
    assert s3.head_object(Bucket="whole", Key="a")["ContentLength"] == len(content)


def test_managed_policies_are_there(instant):
    arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert instant.client("iam").get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_genuine_host_names_work_through_the_socket(tmp_path: Path):
    """Nodes call ssm.us-east-1.amazonaws.com; a proxy hands the request to the socket unchanged."""
    path = tmp_path / "aws.sock"
    path.write_text("left by a killed emulator", encoding="utf-8")
    command = [sys.executable, "-m", "wordpress_ha_rehearsal.emulator", "--port", "0", "--socket", str(path)]
    package = str(Path(errors.__file__).resolve().parents[2])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"PYTHONPATH": package}
    ) as process:
        assert process.stdout is not None and process.stdout.readline().startswith(b"http://127.0.0.1:")
        answers = []
        connection = http.client.HTTPConnection("ssm.us-east-1.amazonaws.com")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        for action, body in (
            ("PutParameter", {"Name": "/a", "Value": "1", "Type": "String"}),
            ("GetParameter", {"Name": "/a"}),
        ):
            headers = {
                "X-Amz-Target": f"AmazonSSM.{action}",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": SIGNED.format("ssm"),
            }
            connection.request("POST", "/", json.dumps(body), headers)
            answers.append(json.loads(connection.getresponse().read()))
        connection.close()
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert answers[1]["Parameter"]["Value"] == "1"
    assert not path.exists()


def test_a_failed_start_says_why(tmp_path: Path):
    with pytest.raises(RuntimeError, match="invalid choice"), running("magic", directory=tmp_path):
        pass


def test_extensions_are_listed_each_with_the_gap_it_closes():
    command = [sys.executable, "-m", "wordpress_ha_rehearsal.emulator", "--list-extensions"]
    package = str(Path(errors.__file__).resolve().parents[2])
    listed = subprocess.run(
        command, env={"PYTHONPATH": package}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    names = [line.split(": ", 1)[0] for line in listed]
    assert "autoscaling-instance-refresh" in names
    assert len(names) == len(set(names)) and all(len(line.split(": ", 1)[1]) > 10 for line in listed)

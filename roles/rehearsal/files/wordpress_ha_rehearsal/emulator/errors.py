# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn what moto does not implement, and its crashes, into errors in the protocol of the service.

Plain moto answers such calls with HTML, which botocore cannot parse and retries. Both are answered with status 501:
botocore retries 500 and 503, and a call that is missing stays missing.
"""

from __future__ import annotations

import json
import struct
from xml.sax.saxutils import escape

from .operations import Operation, protocol_of

Answer = tuple[str, list[tuple[str, str]], bytes]

NOT_IMPLEMENTED = "NotImplemented"
INTERNAL = "InternalFailure"


def not_implemented(operation: Operation, content_type: str = "") -> Answer:
    """Answer a call that neither moto nor an extension knows; the message names the operation."""
    message = f"The rehearsal does not emulate {operation.name}."
    return error(operation, "501 Not Implemented", NOT_IMPLEMENTED, message, content_type)


def crashed(operation: Operation, exception: Exception, content_type: str = "") -> Answer:
    """Answer a call whose emulation raised; the message names the operation and the exception."""
    message = f"The rehearsal failed in {operation.name}: {type(exception).__name__}: {exception}"
    return error(operation, "501 Internal Failure", INTERNAL, message, content_type)


def error(operation: Operation, status: str, code: str, message: str, content_type: str = "") -> Answer:
    """Build the error answer as the service's own protocol wants it."""
    protocol = protocol_of(operation.service)
    cause = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    identity = "<RequestId>rehearsal</RequestId>"
    if "cbor" in content_type:
        body = _cbor_map({"__type": code, "message": message})
        return status, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
    if protocol == "ec2":
        xml = f"<Response><Errors><Error>{cause}</Error></Errors><RequestID>rehearsal</RequestID></Response>"
    elif operation.service == "s3":
        xml = f"<Error>{cause}{identity}</Error>"
    elif protocol in ("query", "rest-xml"):
        xml = f"<ErrorResponse><Error><Type>Receiver</Type>{cause}</Error>{identity}</ErrorResponse>"
    else:
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
        return status, headers, json.dumps({"__type": code, "message": message}).encode()
    return status, [("Content-Type", "text/xml")], f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()


def _cbor_map(fields: dict[str, str]) -> bytes:
    """Encode a map of texts (RFC 8949: major type 5 of major type 3, two-byte lengths)."""
    out = bytes([0xA0 | len(fields)])
    for text in (part for item in fields.items() for part in item):
        raw = text.encode()
        out += b"\x79" + struct.pack(">H", len(raw)) + raw
    return out

# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The field table against what derives from it: error paths, argument specs, documentation, and botocore's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import add_fragments

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import current, edit, model, render
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_behaviors, cloudfront_distribution


@pytest.mark.parametrize(
    ("path", "option"),
    [
        (("CacheBehaviors", 2, "PathPattern"), "behaviors[2].path_pattern"),
        (("CacheBehaviors", "Items", 2, "PathPattern"), "behaviors[2].path_pattern"),
        (("CacheBehaviors",), "behaviors"),
        (("CacheBehaviors", 0), "behaviors[0]"),
        (("CacheBehaviors", 0, "AllowedMethods", "CachedMethods", 1), "behaviors[0].cached_methods[1]"),
        (("CacheBehaviors", 0, "AllowedMethods"), "behaviors[0].allowed_methods"),
        (
            ("DefaultCacheBehavior", "ForwardedValues", "Cookies", "Forward"),
            "default_behavior.forwarded_values.cookies",
        ),
        (("DefaultCacheBehavior", "MinTTL"), "default_behavior.min_ttl"),
        (("Origins", 1, "CustomOriginConfig", "HTTPPort"), "origins[1].http_port"),
        (("Origins", 1, "VpcOriginConfig", "VpcOriginId"), "origins[1].vpc_origin"),
        (("Origins", 1, "CustomHeaders", 0, "HeaderName"), "origins[1].custom_headers[0].name"),
        (("OriginGroups", 0, "Members", 1, "OriginId"), "origin_groups[0].members[1]"),
        (("ViewerCertificate", "ACMCertificateArn"), "certificate_arn"),
        (("ViewerCertificate", "MinimumProtocolVersion"), "minimum_protocol_version"),
        (("ViewerCertificate",), "certificate_arn"),
        (("Aliases", 0), "aliases[0]"),
        (("Restrictions", "GeoRestriction", "RestrictionType"), "geo_restriction.type"),
        (("Restrictions", "GeoRestriction", 0), "geo_restriction.locations[0]"),
        (("CacheBehaviors", 3, "TrustedSigners", "Enabled"), "behaviors[3].TrustedSigners.Enabled"),
        (("FutureSetting",), "FutureSetting"),
        ((), "distribution"),
    ],
)
def test_wire_paths_are_translated_to_options(path: model.Path, option: str) -> None:
    assert model.option_path(path) == option


def structures(fields: Any = model.DISTRIBUTION, where: str = "") -> Iterator[tuple[str, model.Field]]:
    for field in fields:
        yield f"{where}{field.option}", field
        yield from structures(field.fields, f"{where}{field.option}.")


SHAPES = botocore.session.get_session().get_service_model("cloudfront")


def checked(shape: Any, fields: Any, where: str) -> None:
    """Follow every field's wire path through botocore's model."""
    for field in fields:
        blocks = model.BLOCKS.values() if model.BLOCK in field.steps else [""]
        allowed = [model.BLOCKS[name] for name in field.only] if field.only else blocks
        for block in allowed if model.BLOCK in field.steps else [""]:
            found = shape
            for step in field.steps:
                name = block if step == model.BLOCK else step
                if name == "S3OriginConfig" and field.steps[-1] not in found.members[name].members:
                    found = None
                    break
                assert name in found.members, f"{where}{field.option}: {name}"
                found = found.members[name]
            if found is None or field.kind == model.ORIGIN_TYPE:
                continue
            if field.kind == model.RECORD:
                checked(found, field.fields, f"{where}{field.option}.")
            elif field.kind in (model.RECORDS, model.SEQUENCE):
                checked(found.members["Items"].member, field.fields, f"{where}{field.option}.")
            elif field.kind == model.SET:
                assert found.members["Items"].member.type_name == {"str": "string", "int": "integer"}[field.type]
            elif field.kind == model.ORDERED:
                assert field.item in found.members["Items"].member.members
            else:
                named = {"str": ("string",), "bool": ("boolean",), "int": ("integer", "long")}[field.type]
                assert found.type_name in (("string",) if field.as_text else named), f"{where}{field.option}"
                if field.choices:
                    assert set(field.choices) <= set(found.enum), f"{where}{field.option}"


def test_every_field_is_one_of_cloudfront() -> None:
    checked(SHAPES.shape_for("DistributionConfig"), model.DISTRIBUTION, "")


def test_what_new_records_start_with_is_valid() -> None:
    """botocore accepts a distribution of nothing but defaults and what must be said."""
    from botocore.validate import ParamValidator

    origins: dict[str, model.Normal] = {
        "site": {"domain_name": "a.example.org"},
        "bucket": {"domain_name": "b.s3.us-east-1.amazonaws.com"},
        "private": {"domain_name": "c", "vpc_origin": "vo_1"},
    }
    wanted = {
        "origins": origins,
        "origin_groups": {"both": {"members": ["site", "bucket"]}},
        "custom_error_responses": {404: {}},
        "default_behavior": {"target_origin": "site", "forwarded_values": {}},
        "behaviors": [{"path_pattern": "a/*", "target_origin": "site", "cache_policy": "x"}],
    }
    config = render.rendered(None, wanted, "reference")
    report = ParamValidator().validate({"DistributionConfig": config}, SHAPES.shape_for("CreateDistributionRequest"))
    assert not report.has_errors(), report.generate_report()
    assert [model.block_of(item) for item in model.items(config["Origins"])] == ["custom", "s3", "vpc"]
    assert current.normal(config, model.DISTRIBUTION)["default_behavior"]["max_ttl"] == 31536000


def documented(module: Any) -> dict[str, Any]:
    document = yaml.safe_load(module.DOCUMENTATION)
    document["extends_documentation_fragment"] = [
        name for name in document["extends_documentation_fragment"] if name.startswith("wordpress_ha.")
    ]
    add_fragments(document, module.__file__, fragment_loader)
    return dict(document["options"])


def compared(options: dict[str, Any], spec: dict[str, Any], where: str) -> None:
    assert set(options) == set(spec), where
    for name, each in spec.items():
        said = options[name]
        for key in ("type", "elements", "choices", "default"):
            assert said.get(key) == each.get(key), f"{where}{name}.{key}"
        assert said.get("required", False) == each.get("required", False), f"{where}{name}"
        text = said["description"]
        assert text and all(isinstance(line, str) for line in ([text] if isinstance(text, str) else text)), (
            f"{where}{name}"
        )
        compared(said.get("suboptions", {}), each.get("options", {}), f"{where}{name}.")


def spec_of(module: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the argument spec that a module hands over."""
    seen: dict[str, Any] = {}

    class Stop(Exception):
        pass

    def take(argument_spec: dict[str, Any], **_rest: Any) -> None:
        seen.update(argument_spec)
        raise Stop

    monkeypatch.setattr(module, "AnsibleAWSModule", take)
    with pytest.raises(Stop):
        module.main()
    return seen


@pytest.mark.parametrize("module", [cloudfront_distribution, cloudfront_behaviors], ids=lambda each: each.__name__)
def test_every_option_is_documented_as_it_is(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compared(documented(module), spec_of(module, monkeypatch), "")


def test_names_stand_for_ids_where_the_module_can_look_them_up() -> None:
    from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import api

    referring = {field.refers for _path, field in structures() if field.refers}
    assert referring == set(api._LISTINGS)
    assert edit.FRAME_SPEC["state"]["choices"] == ["present", "absent", "gathered"]

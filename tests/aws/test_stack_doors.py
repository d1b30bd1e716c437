"""Which way a flow goes on AWS, why, and what is refused."""

from pathlib import Path

import pytest
from stacking import integration, of_type, operations, printed, read_back, write_flow

from hookrack.errors import ConfigError

DIRECT = """\
keys: [k]
auth: {type: none}
templates: {application/json: t.vtl}
passthrough: never
"""
MODEL = DIRECT + "model: "


def with_model(text: str) -> str:
    """The direct flow with a model."""
    return MODEL + text + "\n"


# Fields, template, and what the reason says.
LACKS = {
    "signature": (DIRECT.replace("none", "github, secrets: [aaaaaaaaaaaa]"), "{}", "by github"),
    "secret": (DIRECT.replace("none", 'secret, secrets: ["${KEY}"]'), "{}", "by secret"),
    "basic": (
        DIRECT.replace("none", 'basic, username: u, passwords: ["${KEY}"]'),
        "{}",
        "by basic",
    ),
    "header": (
        DIRECT.replace("none", 'apiKey, header: x-own, secrets: ["${KEY}"]'),
        "{}",
        "looks in x-api-key",
    ),
    "literal": (
        DIRECT.replace("none", "apiKey, secrets: [sesame-sesame-sesame]"),
        "{}",
        "stands in the flow file",
    ),
    "networks": (DIRECT + "allow: [192.0.2.0/24]\n", "{}", "(allow)"),
    "dedupe": (DIRECT + "dedupe: {from: header.x-id}\n", "{}", "dedupe.from"),
    "no template": ("keys: [k]\nauth: {type: none}\n", "{}", "no template"),
    "passthrough": (DIRECT.replace("never", "when_no_match"), "{}", "passthrough: when_no_match"),
    "stop": (DIRECT, "{}#stop", "#stop"),
    "our names": (DIRECT, "#set($hookrackOut = 1){}", "may not begin with hookrack"),
    "draft": (
        with_model('{$schema: "http://json-schema.org/draft-07/schema#"}'),
        "{}",
        "draft 4 only",
    ),
    "keyword": (with_model("{exclusiveMinimum: true, minimum: 1}"), "{}", "exclusiveMinimum"),
    "items": (with_model("{type: array, minItems: 1}"), "{}", "minItems"),
    "nested": (with_model("{properties: {a: {patternProperties: {}}}}"), "{}", "patternProperties"),
    "types": (with_model('{type: [string, "null"]}'), "{}", "takes one type"),
    "reference": (with_model('{properties: {a: {$ref: "#"}}}'), "{}", "refers to '#'"),
    "any type": (
        with_model("{}").replace("application/json", '"$default"'),
        "{}",
        "which types are JSON",
    ),
    "stage": (DIRECT + "stageVariables: {v: a b}\n", "{}", "stage variable v"),
    "resolve": (DIRECT, "{{resolve:secretsmanager:x}}", "replaced by CloudFormation"),
    "size": (DIRECT, "x" * 307_000, "300"),
}


@pytest.mark.parametrize(("fields", "template", "said"), LACKS.values(), ids=LACKS)
def test_what_api_gateway_can_not_do_goes_by_function_with_the_reason(
    tmp_path: Path, fields: str, template: str, said: str
) -> None:
    """Each lack sends a flow through the edge function, and a comment above its path says why."""
    text = printed(write_flow(tmp_path, fields, template=template))
    lines = text.splitlines()
    place = next(n for n, line in enumerate(lines) if line.strip() == "/in/acme/f:")
    assert "through the edge function" in lines[place - 1]
    assert said in lines[place - 1]
    assert "x-amazon-apigateway-any-method" in operations(read_back(text), "/in/acme/f")


@pytest.mark.parametrize(("fields", "template", "said"), LACKS.values(), ids=LACKS)
def test_direct_is_refused_where_something_would_be_lost(
    tmp_path: Path, fields: str, template: str, said: str
) -> None:
    """`front: direct` on such a flow is a fault that names the flow, the reason and the mend."""
    path = write_flow(tmp_path, fields + "aws: {front: direct}\n", template=template)
    with pytest.raises(ConfigError) as told:
        printed(path)
    assert told.value.where == "accounts.acme.flows.f.aws.front"
    assert said in told.value.detail
    assert "front: auto" in told.value.mend


@pytest.mark.parametrize("front", ["auto", "direct"])
def test_a_flow_that_can_goes_direct(tmp_path: Path, front: str) -> None:
    """With a template for each type and nothing to check, API Gateway sends to SQS itself."""
    stack = read_back(printed(write_flow(tmp_path, DIRECT + f"aws: {{front: {front}}}\n")))
    own = integration(stack, "/in/acme/f")
    assert own["passthroughBehavior"] == "never"
    assert set(own["requestTemplates"]) == {"application/json"}
    assert "Edge" not in stack["Resources"]


def test_lambda_can_be_asked_for(tmp_path: Path) -> None:
    """`front: lambda` sends a flow through the function that could go direct."""
    text = printed(write_flow(tmp_path, DIRECT + "aws: {front: lambda}\n"))
    assert "the flow file says so" in text
    assert "GatewayRole" not in read_back(text)["Resources"]


def test_a_secret_in_the_path_has_a_path_of_its_own(tmp_path: Path) -> None:
    """The address with the secret leads to the function, and the log has its pattern alone."""
    path = write_flow(tmp_path, 'keys: [k]\nauth: {type: secret, secrets: ["${KEY}"]}\n')
    stack = read_back(printed(path))
    assert operations(stack, "/in/acme/f/{secret}")
    formats = [
        each["AccessLogSetting"]["Format"]
        for each in of_type(stack, "AWS::Serverless::Api").values()
    ]
    assert all("$context.path" not in each for each in formats)


def test_each_flow_with_a_key_has_an_api_of_its_own(tmp_path: Path) -> None:
    """A key opens all that its API has, so no two flows with keys share one. The key itself is made
    once, also for two flows with the same secret: API Gateway takes no value twice.
    """
    fields = DIRECT.replace("none", 'apiKey, secrets: ["${ONE}", "${TWO}"]')
    path = write_flow(tmp_path, fields)
    text = path.read_text()
    own = text[text.index("      f:\n") :]
    path.write_text(text + own.replace("      f:", "      g:"))
    stack = read_back(printed(path))
    bodies = [
        each["DefinitionBody"]["paths"]
        for each in of_type(stack, "AWS::Serverless::Api").values()
        if "/v1/{rest+}" not in each["DefinitionBody"]["paths"]
    ]
    assert sorted(list(each) for each in bodies) == [["/in/acme/f"], ["/in/acme/g"]]
    assert all(
        each["security"] for paths in bodies for each in (next(iter(paths.values()))["post"],)
    )
    assert len(of_type(stack, "AWS::ApiGateway::UsagePlan")) == 2
    assert len(of_type(stack, "AWS::ApiGateway::ApiKey")) == 2
    joined = of_type(stack, "AWS::ApiGateway::UsagePlanKey").values()
    assert len({(each["KeyId"]["Ref"], each["UsagePlanId"]["Ref"]) for each in joined}) == 4


def test_a_flow_keeps_its_api_when_others_come(tmp_path: Path) -> None:
    """The name of an API comes from its flow, so an address stays."""
    fields = DIRECT.replace("none", 'apiKey, secrets: ["${ONE}"]')
    path = write_flow(tmp_path, fields)
    before = set(read_back(printed(path))["Resources"])
    text = path.read_text()
    path.write_text(text + text[text.index("      f:\n") :].replace("      f:", "      a:"))
    assert before <= set(read_back(printed(path))["Resources"])


def test_a_model_goes_with_its_definitions(tmp_path: Path) -> None:
    """Definitions become schemas beside the model, and references lead there."""
    own = '{$ref: "#/definitions/n"}'
    model = f"{{type: object, definitions: {{n: {{type: integer}}}}, properties: {{a: {own}}}}}"
    stack = read_back(printed(write_flow(tmp_path, with_model(model))))
    body = of_type(stack, "AWS::Serverless::Api")["DirectApi"]["DefinitionBody"]
    assert body["components"]["schemas"] == {
        "Flow0": {
            "type": "object",
            "properties": {"a": {"$ref": "#/components/schemas/Flow0D0"}},
        },
        "Flow0D0": {"type": "integer"},
    }
    post = body["paths"]["/in/acme/f"]["post"]
    assert post["x-amazon-apigateway-request-validator"] == "body"
    assert post["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Flow0"
    }

"""The template of the example: what AWS's own tools and our own rules say of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from harness import missing
from stacking import EXAMPLE, of_type, printed, read_back, translated, write_flow

from hookrack.aws.reading import read_source
from hookrack.aws.stack import build_stack
from hookrack.errors import ConfigError

SECRET = "sesame-open-up-0123456789"
DIRECT = "keys: [k]\nauth: {type: none}\ntemplates: {application/json: t.vtl}\npassthrough: never\n"


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    """The example's template as CloudFormation gets it."""
    return translated(printed())


def statements(stack: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every statement of every role's own policies."""
    for role in of_type(stack, "AWS::IAM::Role").values():
        for policy in role.get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]


def test_the_same_file_gives_the_same_text() -> None:
    """A second run prints the same bytes, whatever is in the environment."""
    assert printed() == printed(ORDERS_KEY=SECRET, OTHER="x")


def test_the_text_is_the_document() -> None:
    """Read back, the YAML is what was built: mapping templates to the letter, comments aside."""
    built = build_stack(read_source(EXAMPLE, environ={"NONE": ""}))
    assert read_back(printed()) == built.document


def test_an_odd_template_survives_the_printing(tmp_path: Path) -> None:
    """Tabs, blank ends, quotes and letters beyond ASCII come back as they were."""
    odd = '  \t#set($a = \'é\U0001f600\u2028\')\r\n \n{"a": "$a: # no comment"}  \n\n'
    path = write_flow(tmp_path, DIRECT)
    (tmp_path / "t.vtl").write_bytes(odd.encode())
    built = build_stack(read_source(path, environ={"NONE": ""}))
    text = printed(path)
    assert read_back(text) == built.document
    assert text.isascii()


def test_no_secret_is_in_it() -> None:
    """Secrets that happen to be set aren't printed; each is looked up in Secrets Manager."""
    text = printed(ORDERS_KEY=SECRET, GITHUB_SECRET=SECRET)
    assert SECRET not in text
    assert "x" * 64 not in text
    for name in ("ORDERS_KEY", "GITHUB_SECRET", "HOOKRACK_SECRET_KEY", "HOOKRACK_STORE_PASSWORD"):
        assert f"{{{{resolve:secretsmanager:${{SecretsArn}}:SecretString:{name}}}}}" in text


def test_cfn_lint_finds_nothing(stack: dict[str, Any], tmp_path: Path) -> None:
    """AWS's linter has no fault to find in what the translator makes of it.

    W1030: a list of subnets is empty by default, and then isn't used.
    """
    path = tmp_path / "stack.json"
    path.write_text(json.dumps(stack))
    linter = Path(sys.executable).with_name("cfn-lint")
    words = ["--regions", "eu-west-1", "--ignore-checks", "W1030", "--"]
    command = [str(linter), *words, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_nobody_may_do_more_than_is_needed(stack: dict[str, Any]) -> None:
    """Every right is a named call on one queue; what is for all things is only taken away."""
    queues = ({"Fn::GetAtt": ["Queue", "Arn"]}, {"Fn::GetAtt": ["DeadLetters", "Arn"]})
    found = [each for each in statements(stack) if each["Effect"] == "Allow"]
    assert len(found) == 7
    for each in found:
        actions = [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
        assert all(name.startswith("sqs:") and "*" not in name for name in actions)
        assert each["Resource"] in queues


def test_api_gateway_may_send_and_nothing_else(stack: dict[str, Any]) -> None:
    """Its role has one call on one queue, and API Gateway alone may take it."""
    role = of_type(stack, "AWS::IAM::Role")["GatewayRole"]
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
        }
    ]
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert "ManagedPolicyArns" not in role


def test_nothing_runs_twice_at_once_nor_ends_too_soon(stack: dict[str, Any]) -> None:
    """Visibility is six timeouts at least, dead letters are kept longer than events, and apart."""
    queue = of_type(stack, "AWS::SQS::Queue")["Queue"]
    dead = of_type(stack, "AWS::SQS::Queue")["DeadLetters"]
    worker = of_type(stack, "AWS::Lambda::Function")["Worker"]
    window = stack["Parameters"]["BatchWindowSeconds"]["MaxValue"]
    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"] + window
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] > 5
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    assert dead["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
    assert queue["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True


def test_both_queues_want_tls(stack: dict[str, Any]) -> None:
    """Each queue's policy refuses every call that isn't encrypted."""
    policies = of_type(stack, "AWS::SQS::QueuePolicy")
    assert {policy["Queues"][0]["Ref"] for policy in policies.values()} == {"Queue", "DeadLetters"}
    for policy in policies.values():
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_worker_names_its_failures_and_filters_nothing(stack: dict[str, Any]) -> None:
    """The mapping reports failures one by one, is bounded, and has no filter that would delete."""
    (mapping,) = of_type(stack, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "WorkerConcurrency"}}
    assert "FilterCriteria" not in mapping
    assert stack["Parameters"]["BatchWindowSeconds"]["MinValue"] >= 1


def test_no_store_evicts_or_talks_in_the_clear(stack: dict[str, Any]) -> None:
    """Both kinds refuse when full, want TLS, and a user who may touch our keys alone."""
    memory_db = of_type(stack, "AWS::MemoryDB::Cluster")["MemoryDb"]
    cache = of_type(stack, "AWS::ElastiCache::ReplicationGroup")["Cache"]
    assert memory_db["TLSEnabled"] is cache["TransitEncryptionEnabled"] is True
    assert cache["TransitEncryptionMode"] == "required"
    parameters = of_type(stack, "AWS::MemoryDB::ParameterGroup")["MemoryDbParameters"]["Parameters"]
    assert parameters == {"maxmemory-policy": "noeviction"}
    parameters = of_type(stack, "AWS::ElastiCache::ParameterGroup")["CacheParameters"]["Properties"]
    assert parameters == {"maxmemory-policy": "noeviction"}
    for kind in ("AWS::MemoryDB::User", "AWS::ElastiCache::User"):
        (user,) = of_type(stack, kind).values()
        assert "~*" not in user["AccessString"]


def test_a_store_that_can_lose_is_accepted_by_name(stack: dict[str, Any]) -> None:
    """MemoryDB is the default; ElastiCache is refused until somebody says that it may lose."""
    assert stack["Parameters"]["Store"]["Default"] == "memorydb"
    assert stack["Parameters"]["AcceptFailoverLoss"]["Default"] == "no"
    rule = stack["Rules"]["LossIsAccepted"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Store"}, "elasticache"]}


def test_every_log_ends_and_every_api_is_bounded(stack: dict[str, Any]) -> None:
    """Each log has a retention; each stage has a rate, a burst and an access log, no bodies."""
    assert all("RetentionInDays" in each for each in of_type(stack, "AWS::Logs::LogGroup").values())
    for stage in of_type(stack, "AWS::ApiGateway::Stage").values():
        (settings,) = stage["MethodSettings"]
        assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(settings)
        assert settings["DataTraceEnabled"] is False
        assert stage["AccessLogSetting"]["DestinationArn"]


def test_what_must_not_last_has_an_alarm(stack: dict[str, Any]) -> None:
    """Dead letters, age, errors and throttles of functions, and 5xx of every API."""
    alarms = of_type(stack, "AWS::CloudWatch::Alarm").values()
    watched = sorted((each["MetricName"], each["Threshold"]) for each in alarms)
    apis, functions = len(of_type(stack, "AWS::ApiGateway::RestApi")), 3
    assert watched == sorted(
        [("ApproximateNumberOfMessagesVisible", 0), ("ApproximateAgeOfOldestMessage", 300)]
        + [("Errors", 0), ("Throttles", 0)] * functions
        + [("5XXError", 0)] * apis
    )


def test_only_an_api_for_functions_takes_bytes(stack: dict[str, Any]) -> None:
    """A mapping template needs text, and a function gets what was sent."""
    for name, api in of_type(stack, "AWS::ApiGateway::RestApi").items():
        binary = api["Body"].get("x-amazon-apigateway-binary-media-types", [])
        assert bool(binary) == (name in ("FunctionApi", "ReadingApi"))


def test_a_variable_that_lambda_keeps_for_itself_is_refused(tmp_path: Path) -> None:
    """A name that no function can have is told with the mend."""
    path = write_flow(tmp_path, 'keys: [k]\nauth: {type: secret, secrets: ["${AWS_REGION}"]}\n')
    with pytest.raises(ConfigError, match="doesn't take or keeps") as told:
        printed(path)
    assert "AWS_REGION" in told.value.where


def test_more_secrets_than_a_function_takes_are_refused(tmp_path: Path) -> None:
    """Lambda's 4 KB for variables are counted when the template is made: a secret that is known by
    its length, others as 64 bytes; the fault says how much it is and what to do.
    """
    names = [f"SECRET_{number}" for number in range(50)]
    path = write_flow(tmp_path, DIRECT)
    lines = "".join(
        f"      {name.lower()}: {{keys: [k], auth: {{type: github, secrets: [${{{name}}}]}}}}\n"
        for name in names
    )
    path.write_text(path.read_text() + lines.replace("[$", '["$').replace("}]", '}"]'))
    with pytest.raises(ConfigError, match="a Lambda function takes 4096") as told:
        printed(path)
    assert told.value.where == "the 50 variables of the flow file"
    assert "several flow files" in told.value.mend
    assert "SECRET_49" in printed(path, **dict.fromkeys(names, "s" * 20))


def test_a_stage_variable_needs_its_value(tmp_path: Path) -> None:
    """What isn't secret is printed, so it has to be known when the template is made."""
    path = write_flow(tmp_path, DIRECT + 'stageVariables: {env: "${STAGE_ENV}"}\n')
    with pytest.raises(ConfigError, match=r"stageVariables\.env"):
        printed(path)
    apis = of_type(read_back(printed(path, STAGE_ENV="prod")), "AWS::Serverless::Api")
    assert [each["Variables"] for each in apis.values() if "Variables" in each] == [{"env": "prod"}]


def test_a_file_of_too_many_flows_is_refused(tmp_path: Path) -> None:
    """More than a stack can hold is told before anything is deployed."""
    lines = "".join(
        f'      f{n}: {{keys: [k], auth: {{type: apiKey, secrets: ["${{KEY}}"]}}, '
        "templates: {application/json: t.vtl}, passthrough: never}\n"
        for n in range(70)
    )
    path = write_flow(tmp_path, DIRECT)
    path.write_text(path.read_text() + lines)
    with pytest.raises(ConfigError, match="500 at most"):
        printed(path)


@pytest.mark.parametrize(("auth", "most"), [("none", 296), ('secret, secrets: ["${KEY}"]', 148)])
def test_an_api_of_too_many_paths_is_refused(tmp_path: Path, auth: str, most: int) -> None:
    """API Gateway takes 300 resources in an API: the root, /in, the account and the flows, and one
    more for each secret in an address. What is one too many is told with the mend.
    """
    own = "aws: {front: lambda}, keys: [k], auth: {type: "
    head = "version: 1\naccounts:\n  acme:\n    flows:\n"
    path = tmp_path / "hookrack.yaml"
    for count, is_good in [(most, True), (most + 2, False)]:
        flows = "".join(f"      f{n}: {{{own}{auth}}}}}\n" for n in range(count))
        path.write_text(head + flows)
        source = read_source(path, environ={"KEY": SECRET})
        if is_good:
            build_stack(source)
        else:
            with pytest.raises(ConfigError, match="API Gateway takes 300") as told:
                build_stack(source)
            assert "several files" in told.value.mend


# What checkov asks for and the stack hasn't got, with the reason.
NOT_HERE = {
    "CKV_AWS_27": "queues are encrypted by SQS itself; a key of one's own would need more rights",
    "CKV_AWS_73": "tracing would need a right on all resources, and the access log has the times",
    "CKV_AWS_115": "MaximumConcurrency bounds the worker; a new account has no runs to reserve",
    "CKV_AWS_116": "dead letters are the queue's; whoever calls these functions waits",
    "CKV_AWS_120": "an answer to a POST is never another's",
    "CKV_AWS_158": "logs have no bodies and no secrets; CloudWatch encrypts them by itself",
    "CKV_AWS_173": "Lambda encrypts variables by itself; a key of one's own would need more rights",
}


def test_checkov_finds_nothing_else(stack: dict[str, Any], tmp_path: Path) -> None:
    """A second opinion on security has only those faults to find that were decided on.

    HOOKRACK_CHECKOV names the program; it has an environment of its own.
    """
    program = os.environ.get("HOOKRACK_CHECKOV")
    if not program:
        missing("checkov is not installed")
    path = tmp_path / "stack.json"
    path.write_text(json.dumps(stack))
    words = ["--framework", "cloudformation", "--output", "json", "--file", str(path)]
    done = subprocess.run(
        [program, *words, "--skip-check", ",".join(NOT_HERE)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    summary = json.loads(done.stdout)["summary"]
    assert summary["passed"] > 50
    assert (summary["failed"], summary["parsing_errors"]) == (0, 0), done.stdout

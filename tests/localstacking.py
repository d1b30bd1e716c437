"""What tests of the whole chain stand on: LocalStack in a process, and a template deployed in it.

LocalStack's own CloudFormation makes what is in the printed template, once SAM's translator has
been over it, but for what it has no engine for here: functions, stores and networks.
"""

import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import httpx
import pytest
from harness import missing, wait_until
from sqsing import OWNER, REGION, free_port
from stacking import of_type, printed, translated

_HERE: Final = Path(__file__).parent / "aws" / "localstack"
_ENVIRONMENT: Final = _HERE.parents[2] / ".venv" / "localstack"
_SERVICES: Final = "apigateway,cloudformation,iam,logs,secretsmanager,sqs,sts"
_START_SECONDS: Final = 60.0
_APIS: Final = (
    *("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"),
    *("AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey", "AWS::ApiGateway::ApiKey"),
)
_MADE: Final = (
    *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Logs::LogGroup"),
    "AWS::ApiGateway::Account",
)
_ROLES: Final = ("GatewayRole", "LogRole")


@dataclass(frozen=True)
class Deployed:
    """A stack in LocalStack; `known` is what its secret holds."""

    url: str
    name: str
    known: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def queue_url(self) -> str:
        """The queue, as our queue setting has it."""
        return f"{self.url}/{OWNER}/{self.name}-events"

    @property
    def dead_url(self) -> str:
        """Its dead-letter queue."""
        return f"{self.url}/{OWNER}/{self.name}-dead-letters"

    def door(self, api: str) -> str:
        """Where senders post to: an address of the outputs, by which LocalStack is reached."""
        host, _, stage = self.outputs[f"{api}Url"].removeprefix("https://").partition("/")
        return f"{self.url}/_aws/execute-api/{host.partition('.')[0]}/{stage}"


@contextlib.asynccontextmanager
async def localstack(folder: Path) -> AsyncIterator[str]:
    """The address of a LocalStack that lives as long as the block, its files in a folder."""
    if not (_ENVIRONMENT / "installed.lock").is_file():
        missing("LocalStack is not installed: tests/aws/localstack/install")
    port = free_port()
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "FILESYSTEM_ROOT": str(folder / "root"),
        "OVERRIDE_IN_DOCKER": "0",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "SERVICES": _SERVICES,
        "STRICT_SERVICE_LOADING": "1",
        "DISABLE_EVENTS": "1",  # it reports to nobody
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "PYTHONWARNINGS": "ignore",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [_ENVIRONMENT / "bin" / "python", _HERE / "start.py"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environ,
            cwd=folder,
        )
    try:
        await _wait_until_ready(f"http://127.0.0.1:{port}", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


async def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def is_ready() -> bool:
            if process.poll() is not None:
                pytest.fail(f"LocalStack ended at its start: {log.read_text()[-2_000:]}")
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/_localstack/health")).status_code == 200
            return False

        await wait_until(is_ready, what="LocalStack's start", seconds=_START_SECONDS)


async def deploy(url: str, flow_file: Path, *, known: Mapping[str, str]) -> Deployed:
    """Have CloudFormation make a stack of a flow file; `known` is what its secret holds."""
    name = f"hr{secrets.token_hex(4)}"
    template = json.dumps(_deployable(translated(printed(flow_file))))
    make = clients(url)
    secret = make("secretsmanager").create_secret(Name=name, SecretString=json.dumps(dict(known)))
    formation = make("cloudformation")
    given = {"ArtifactBucket": "none", "SecretsArn": secret["ARN"]}
    formation.create_stack(
        StackName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
    )

    def is_made() -> bool:
        status = formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if status.endswith("FAILED") or "ROLLBACK" in status:
            events = formation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [e["ResourceStatusReason"] for e in events if e.get("ResourceStatusReason")]
            pytest.fail(f"LocalStack didn't take the template: {reasons}")
        return bool(status == "CREATE_COMPLETE")

    await wait_until(is_made, what="the stack", seconds=60)
    listed = formation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return Deployed(url, name, known, {each["OutputKey"]: each["OutputValue"] for each in listed})


def clients(url: str) -> Callable[[str], Any]:
    """Makes clients of LocalStack's services."""

    def make(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=OWNER,
            aws_secret_access_key="test",
        )

    return make


def _deployable(stack: dict[str, Any]) -> dict[str, Any]:
    """A template without what LocalStack has no engine for; nothing else of it is changed."""
    by_function = [
        name
        for name, api in of_type(stack, "AWS::ApiGateway::RestApi").items()
        if "x-amazon-apigateway-any-method" in json.dumps(api["Body"])
    ]
    kept = {
        name: each
        for name, each in stack["Resources"].items()
        if name in _ROLES
        or each["Type"] in _MADE
        or (each["Type"] in _APIS and not name.startswith(tuple(by_function)))
    }
    gone = {f"{name}Url" for name in by_function} | {"ReadingUrl"}
    outputs = {name: each for name, each in stack["Outputs"].items() if name not in gone}
    return stack | {"Resources": kept, "Outputs": outputs}

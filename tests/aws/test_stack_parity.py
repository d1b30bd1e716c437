"""A direct flow from request to reader: as API Gateway would do it, and as the local server does.

The template that the stack has for a flow is rendered by our engine; what it makes goes as it is
to a server that speaks SQS, from there through the worker's handler into a real store, and is read
by the API's handler. The store lets the functions do only what the template's user may.
"""

import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import pytest
import redis.asyncio
from harness import ADMIN_TOKEN, Served, wait_until
from lambding import Function, record, undone
from sqsing import OWNER, REGION, Sqs
from stacking import EXAMPLE, integration, of_type, operations, printed, read_back

from hookrack.aws.openapi import refusal_template
from hookrack.aws.stores import ACCESS
from hookrack.edge.mapping import MappingRequest, compile_template
from hookrack.queues.sqs_open import SqsSource

Make = Callable[..., Awaitable[Function]]

KEY: Final = "orders-key-0123456789abc"
ENVIRON: Final = {"ORDERS_KEY": KEY, "GITHUB_SECRET": "github-secret-0123456789"}
ORDER: Final = (
    '{"number": "A\'1\\"&+%3D\\u20ac", "lines":[ {"item":"b & c","count":90071992547409931}]}'
)
READING: Final = '{"z": 1.0, "device":"d-7", "a": "\U0001f600 \'quoted\' & <b>", "a": 2 }'
FLOWS: Final = {"orders": (ORDER, "erp"), "readings": (READING, "device:d-7")}


def form_of(flow: str, body: str) -> str:
    """What API Gateway would send to SQS for a request."""
    own = integration(read_back(printed()), f"/in/acme/{flow}")
    assert own["requestParameters"] == {
        "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
    }
    request = MappingRequest(
        body=body,
        context={
            "extendedRequestId": "JXt5sGqNoAMEbVw=",
            "requestTimeEpoch": int(time.time() * 1000),
            "identity": {"sourceIp": "127.0.0.1"},
        },
    )
    return compile_template(own["requestTemplates"]["application/json"]).render(request).text


async def sent(sqs_server: Sqs, source: SqsSource, form: str) -> list[dict[str, Any]]:
    """Send a form as API Gateway does, and take the messages off as Lambda does."""
    address = f"{sqs_server.url}/{OWNER}/{source.pair.url.rpartition('/')[2]}"
    scope = f"Credential={OWNER}/20260101/{REGION}/sqs/aws4_request"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
    }
    async with httpx.AsyncClient() as client:
        (await client.post(address, content=form.encode(), headers=headers)).raise_for_status()
    return await sqs_server.take(source.pair.url)


@pytest.fixture
def as_the_stack(
    function: Make, url: str, prefix: str, direct: "redis.asyncio.Redis"
) -> Callable[[str], Awaitable[Function]]:
    """Functions as the stack makes them: the example's flow file, and the store's narrow user."""

    async def make(handler: str) -> Function:
        name, password = f"u{secrets.token_hex(4)}", secrets.token_hex(16)
        access = ACCESS.replace("hr1:", prefix).split()
        await direct.execute_command("ACL", "SETUSER", name, f">{password}", *access)  # type: ignore[no-untyped-call]
        return await function(
            handler,
            HOOKRACK_CONFIG=str(EXAMPLE),
            HOOKRACK_STORE=url.replace("unix://", f"unix://{name}:{password}@"),
            HOOKRACK_STORE_ACCEPT_LOSS="unverified",
            **ENVIRON,
        )

    return make


@pytest.fixture
def local(
    own_server: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Awaitable[bytes]]:
    """The data that a local server has under a key after a request to one of the flows."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)

    async def ask(flow: str, body: str) -> bytes:
        key = FLOWS[flow][1]
        async with own_server(config=EXAMPLE).client() as client:
            headers = {"Content-Type": "application/json", "x-api-key": KEY}
            posted = await client.post(f"/in/acme/{flow}", content=body.encode(), headers=headers)
            assert posted.status_code == 202, posted.text

            async def is_there() -> bool:
                return (await client.get(f"/v1/keys/{key}")).status_code == 200

            await wait_until(is_there, what="the event")
            return (await client.get(f"/v1/keys/{key}?raw=true")).content

    return ask


async def read(api: Function, key: str) -> bytes:
    """The newest event's data under a key, by the API's handler."""
    event = {
        "httpMethod": "GET",
        "path": f"/v1/keys/{key}",
        "multiValueHeaders": {
            "Authorization": [f"Bearer {ADMIN_TOKEN}"],
            "Hookrack-Account": ["acme"],
        },
        "multiValueQueryStringParameters": {"raw": ["true"]},
        "requestContext": {"path": f"/live/v1/keys/{key}", "stage": "live", "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }
    kind, told = await api.api.invoke(event)
    assert (kind, told["statusCode"]) == ("response", 200), told
    body: str = told["body"]
    return base64.b64decode(body) if told["isBase64Encoded"] else body.encode()


@pytest.mark.parametrize("flow", FLOWS)
async def test_a_direct_flow_ends_as_on_the_local_server(
    flow: str,
    as_the_stack: Callable[[str], Awaitable[Function]],
    sqs_server: Sqs,
    source: SqsSource,
    local: Callable[[str, str], Awaitable[bytes]],
) -> None:
    """From the same request both make the same bytes under the same key."""
    body, key = FLOWS[flow]
    messages = await sent(sqs_server, source, form_of(flow, body))
    assert len(messages) == 1
    worker = await as_the_stack("worker_handler")
    records = [record(each["MessageId"], each["Body"].encode()) for each in messages]
    assert undone((await worker.api.invoke({"Records": records}))[1]) == []
    by_gateway = await read(await as_the_stack("api_handler"), key)
    assert json.loads(by_gateway)
    assert by_gateway == await local(flow, body)


async def test_what_a_sender_writes_stays_in_the_data(sqs_server: Sqs, source: SqsSource) -> None:
    """No body adds a parameter to the call of SQS, or a field to the envelope."""
    evil = '{"device": "d&DelaySeconds=900&x=", "a": "\\",\\"keys\\":[\\"stolen\\"],\\"b\\":\\""}'
    (message,) = await sent(sqs_server, source, form_of("readings", evil))
    envelope = json.loads(message["Body"])
    assert envelope["keys"] == ["device:d&DelaySeconds=900&x="]
    assert json.loads(base64.b64decode(envelope["dataBase64"])) == json.loads(evil)
    assert set(envelope) == {
        *("v", "id", "account", "flow", "receivedAt", "contentType", "dataBase64", "keys", "ttl")
    }


ANSWERS: Final = {
    '{"Error": {"Code": "InvalidParameterValue", "Message": "One or more parameters are invalid. '
    'Reason: Message must be shorter than 1048576 bytes."}}': "BODY_TOO_LARGE",
    '{"Error": {"Code": "AccessDenied"}}': "STORE_UNAVAILABLE",
    "": "STORE_UNAVAILABLE",
}


@pytest.mark.parametrize(("answer", "code"), ANSWERS.items(), ids=ANSWERS.values())
def test_a_refusal_of_sqs_is_a_problem(answer: str, code: str) -> None:
    """A message too long is the sender's affair; everything else is to be sent again."""
    rendered = compile_template(refusal_template()).render(MappingRequest(body=answer))
    assert json.loads(rendered.text)["code"] == code


def test_nothing_but_a_2xx_of_sqs_is_a_202() -> None:
    """Each answer of SQS has a pattern; each pattern a status of its own, because API Gateway keeps
    one mapping for a status; and what none of them takes is a 5xx, which a sender tries again.
    """
    own = integration(read_back(printed()), "/in/acme/orders")["responses"]
    statuses = {pattern: each["statusCode"] for pattern, each in own.items()}
    assert statuses == {
        r"2\d{2}": "202",
        r"4\d{2}": "503",
        r"5\d{2}": "502",
        "default": "500",
    }
    told = own[r"2\d{2}"]
    assert json.loads(told["responseTemplates"]["application/json"]) == {
        "eventId": "$context.extendedRequestId",
        "status": "accepted",
    }
    assert told["responseParameters"] == {
        "method.response.header.Hookrack-Event-Id": "context.extendedRequestId"
    }
    declared = operations(read_back(printed()), "/in/acme/orders")["post"]["responses"]
    assert "Hookrack-Event-Id" in declared["202"]["headers"]
    assert set(declared) == set(statuses.values())


def test_every_direct_flow_has_templates_for_sqs_alone() -> None:
    """No integration of an API without functions leads anywhere but to the one queue."""
    for name, api in of_type(read_back(printed()), "AWS::Serverless::Api").items():
        for methods in api["DefinitionBody"]["paths"].values():
            for method in methods.values():
                own = method["x-amazon-apigateway-integration"]
                assert own["passthroughBehavior"] == "never"
                is_direct = own["type"] == "aws"
                assert is_direct == (name not in ("FunctionApi", "ReadingApi"))
                assert is_direct == own["uri"]["Fn::Sub"].endswith("/${Queue.QueueName}")

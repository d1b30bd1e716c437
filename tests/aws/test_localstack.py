"""The whole chain in software that nobody here wrote: LocalStack's CloudFormation makes the stack,
its API Gateway takes the webhooks, its SQS keeps them; the packaged functions do the rest in
Lambda's own runtime client, on a real store.

This is about the wiring. What a template renders, to the byte, is settled against Velocity: the
engine of LocalStack reads JSON and writes it anew, takes a type with a charset for another type,
has no words of ours for what API Gateway itself refuses, and forgets what is set inside #define.
"""

import hmac
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from harness import ADMIN_TOKEN, wait_until
from lambding import HERE, Function, build_packages, record, undone
from localstacking import Deployed, clients, deploy, localstack
from queueing import bury, envelope
from sqsing import ENVIRON, Sqs

from hookrack.errors import Code
from hookrack.jsontext import split_members
from hookrack.ports import LetterFilter
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_dead_letters import SqsDeadLetters
from hookrack.queues.sqs_open import SqsSource
from hookrack.sqs_address import QueueAddress, read_address

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Make = Callable[..., Awaitable[Function]]
FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "aws"
PAYLOADS: Final = (FIXTURES / "payloads.jsonl").read_bytes().splitlines()
MOST: Final = 40  # payloads of the corpus
JSON: Final = {"content-type": "application/json"}


@pytest.fixture(scope="module")
async def cloud() -> AsyncIterator[str]:
    """A LocalStack."""
    with tempfile.TemporaryDirectory(prefix="hr-") as name, pytest.MonkeyPatch.context() as patch:
        for variable, value in ENVIRON.items():
            patch.setenv(variable, value)
        async with localstack(Path(name)) as url:
            yield url


@pytest.fixture
def known() -> dict[str, str]:
    """What the secret of a stack holds; no two stacks can have the same key for senders."""
    return {"ORDERS_KEY": secrets.token_hex(16), "CHAT_SECRET": "chat-secret-0123456789"}


@pytest.fixture
async def stack(cloud: str, known: dict[str, str]) -> Deployed:
    """The fixtures' flow file, deployed there."""
    return await deploy(cloud, FIXTURES / "hookrack.yaml", known=known)


@pytest.fixture(scope="module")
def packages() -> Iterator[dict[str, Path]]:
    """The functions' packages, as `hookrack aws package` makes them for this machine."""
    with tempfile.TemporaryDirectory(prefix="hr-") as name:
        yield build_packages(Path(name), FIXTURES / "hookrack.yaml", "--arch", HERE)


@pytest.fixture
async def server(cloud: str) -> AsyncIterator[Sqs]:
    """LocalStack, as a server that speaks SQS."""
    client = await SqsClient.open(QueueAddress("any", endpoint=cloud))
    yield Sqs(cloud, client)
    await client.close()


@pytest.fixture
async def source(server: Sqs, stack: Deployed) -> AsyncIterator[SqsSource]:
    """The stack's queue; the functions of the other fixtures send and bury there."""
    opened = await server.open(read_address(stack.queue_url))
    yield opened
    await opened.close()


@pytest.fixture
async def worker(function: Make, packages: dict[str, Path], known: dict[str, str]) -> Function:
    """The packaged worker."""
    return await function("worker_handler", packages[f"worker-{HERE}.zip"], **known)


@pytest.fixture
async def edge(function: Make, packages: dict[str, Path], known: dict[str, str]) -> Function:
    """The packaged front door."""
    return await function("edge_handler", packages[f"worker-{HERE}.zip"], **known)


@pytest.fixture
async def api(function: Make, packages: dict[str, Path], known: dict[str, str]) -> Function:
    """The packaged Set/Get API."""
    return await function("api_handler", packages[f"api-{HERE}.zip"], **known)


@pytest.fixture
async def sender() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who sends webhooks."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield client


async def work_off(server: Sqs, stack: Deployed, worker: Function) -> int:
    """Hand the queue's messages to the worker until there are none, as Lambda does: what it
    doesn't name is deleted. How many there were.
    """
    done = 0
    while await server.size(stack.queue_url):  # an empty queue would answer after its long poll
        messages = await server.take(stack.queue_url)
        records = [record(each["MessageId"], each["Body"].encode()) for each in messages]
        kind, answer = await worker.api.invoke({"Records": records})
        assert (kind, undone(answer)) == ("response", []), worker.log()
        for each in messages:
            handle = {"QueueUrl": stack.queue_url, "ReceiptHandle": each["ReceiptHandle"]}
            await server.client.call("delete_message", **handle)
        done += len(messages)
    return done


async def entries(api: Function, key: str) -> dict[str, Any]:
    """The data of the events under a key, by their ids, from the Set/Get API."""
    event = {
        "version": "2.0",
        "rawPath": f"/v1/keys/{key}/events",
        "rawQueryString": "limit=1000",
        "headers": {"authorization": f"Bearer {ADMIN_TOKEN}", "hookrack-account": "acme"},
        "requestContext": {"http": {"method": "GET", "sourceIp": "203.0.113.9"}},
    }
    _, answer = await api.api.invoke(event)
    assert answer["statusCode"] == 200, api.log()
    page = json.loads(answer["body"])
    assert not page["more"]
    return {each["eventId"]: each["data"] for each in page["entries"]}


def accepted(answer: httpx.Response) -> str:
    """The event id of a 202 as the contract has it."""
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert set(told) == {"eventId", "status"}
    assert told["status"] == "accepted"
    assert answer.headers["Hookrack-Event-Id"] == told["eventId"]
    return str(told["eventId"])


def corpus() -> list[bytes]:
    """Real payloads, where HOOKRACK_CORPUS names a folder with some."""
    path = Path(os.environ.get("HOOKRACK_CORPUS", "/nowhere")) / "github-events.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [split_members(line)["payload"] for line in lines[:MOST]]


async def test_what_is_posted_is_read(
    worker: Function, api: Function, server: Sqs, stack: Deployed, sender: httpx.AsyncClient
) -> None:
    """Every payload goes through API Gateway, SQS and the worker to the Set/Get API: under each
    key of its flow once, with the id that its sender got, and with nothing left on the queue.
    """
    path = f"{stack.door('DirectApi')}/in/acme/events"
    sent: dict[str, Any] = {}
    for payload in (*PAYLOADS, *corpus()):
        posted = await sender.post(path, content=payload, headers=JSON)
        sent[accepted(posted)] = {"got": json.loads(payload), "from": "127.0.0.1"}
    assert await work_off(server, stack, worker) == len(sent)
    for key in ("all", "audit"):
        assert await entries(api, key) == sent


async def test_a_flow_with_a_key_and_a_model_lets_in_what_fits(
    worker: Function, api: Function, server: Sqs, stack: Deployed, sender: httpx.AsyncClient
) -> None:
    """The sender's key comes from the secret and opens its own API alone; the model and the list
    of types hold; a loop and a stage variable are rendered. What is refused leaves no message.
    """
    (own,) = (name for name in stack.outputs if name.startswith("Flow"))
    path = f"{stack.door(own.removesuffix('Url'))}/in/acme/orders"
    order = b'{"number": "A&1", "lines": [{"item": "tea", "count": 2}, {"item": "cup"}]}'
    headers = JSON | {"x-api-key": stack.known["ORDERS_KEY"]}
    other = headers | {"x-api-key": "another-key-0123456789abc"}
    for status, given, body in [
        (403, JSON, order),
        (403, other, order),
        (400, headers, b'{"number": 1, "lines": []}'),
        (400, headers, b'{"number": "A", "lines": [{"count": 1}]}'),
        (415, headers | {"content-type": "text/plain"}, order),
    ]:
        answer = await sender.post(path, content=body, headers=given)
        assert answer.status_code == status, answer.text
    elsewhere = path.replace("orders", "events")
    assert (await sender.post(elsewhere, content=order, headers=headers)).status_code == 403
    assert await server.size(stack.queue_url) == 0
    event_id = accepted(await sender.post(path, content=order, headers=headers))
    assert await work_off(server, stack, worker) == 1
    read = {"order": "A&1", "shop": "berlin", "items": ["tea", "cup"]}
    assert await entries(api, "erp") == {event_id: read}


async def test_a_signed_webhook_comes_by_the_edge_function(
    edge: Function, worker: Function, api: Function, server: Sqs, stack: Deployed
) -> None:
    """A flow that needs our code sends to the same queue, byte for byte; a bad signature is 401."""
    body = '{"text":  "hello & good-bye", "n": 1.0}'
    signed = hmac.new(stack.known["CHAT_SECRET"].encode(), body.encode(), "sha256").hexdigest()
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": "/in/acme/chat",
        "headers": {
            "content-type": "application/json",
            "x-hub-signature-256": "sha256=" + "0" * 64,
        },
        "requestContext": {"http": {"method": "POST", "sourceIp": "203.0.113.9"}},
        "body": body,
    }
    assert (await edge.api.invoke(event))[1]["statusCode"] == 401
    event["headers"] = event["headers"] | {"x-hub-signature-256": f"sha256={signed}"}
    _, answer = await edge.api.invoke(event)
    assert answer["statusCode"] == 202, (answer, edge.log())
    event_id = json.loads(answer["body"])["eventId"]
    (message,) = await server.take(stack.queue_url)
    assert f'"data":{body}' in message["Body"].replace('"data": ', '"data":')
    back = {"QueueUrl": stack.queue_url, "ReceiptHandle": message["ReceiptHandle"]}
    await server.client.call("change_message_visibility", VisibilityTimeout=0, **back)
    assert await work_off(server, stack, worker) == 1
    assert await entries(api, "chat") == {event_id: json.loads(body)}


async def test_what_sqs_refuses_is_no_202(
    cloud: str, stack: Deployed, sender: httpx.AsyncClient
) -> None:
    """A message above the limit of SQS is 413; without the queue it is 503 and Retry-After: the
    mapping of each answer is there, and the status that a sender sees is the template's.
    """
    path = f"{stack.door('DirectApi')}/in/acme/events"
    large = json.dumps("x" * 1_000_000)
    answer = await sender.post(path, content=large, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in answer.headers
    clients(cloud)("sqs").delete_queue(QueueUrl=stack.queue_url)
    answer = await sender.post(path, content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_is_no_envelope_is_a_dead_letter_with_its_reason(
    worker: Function, server: Sqs, source: SqsSource, stack: Deployed
) -> None:
    """Poison of another producer ends in the stack's dead-letter queue, not in the worker's way."""
    address = read_address(stack.queue_url)
    await server.put(address, "hello")
    await server.put(address, envelope("e-1", flow="chat").decode())
    assert await work_off(server, stack, worker) == 2
    assert await server.size(stack.dead_url) == 1
    (letter,) = (await source.letters().page(LetterFilter(), limit=10)).letters
    assert (letter.reason, letter.envelope) == (str(Code.ENVELOPE_INVALID), b"hello")


async def test_sqs_moves_all_dead_letters_back_by_itself(source: SqsSource) -> None:
    """More letters than a look brings are redriven by a move task of SQS, unchanged; the redrive
    policy and the rights between the two queues of the stack allow it.
    """
    queue, bodies = source.queue(), [envelope(f"e-{number}", flow="chat") for number in range(5)]
    await bury(queue, *bodies)
    assert (await source.letters().stats()).depth == 5
    assert await SqsDeadLetters(source.client, source.pair, most=1).redrive_all() == 5
    found: list[bytes] = []

    async def back() -> bool:
        found.extend(each.body for each in await queue.receive(10, wait=timedelta(0)))
        return len(found) >= 5

    await wait_until(back, what="the letters")
    assert sorted(found) == sorted(bodies)

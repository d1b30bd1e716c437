"""What is said when SQS can't be used: at the start, and while serving."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from harness import refused_start
from sqsing import ASKED, ENVIRON, OWNER, Liar, Sqs, free_port, refusal

from hookrack.errors import Code, ConfigError, Unavailable
from hookrack.queues.sqs_open import SqsSource
from hookrack.sqs_address import QueueAddress, read_address

LEASE = timedelta(seconds=30)
# What SQS says, and the words that tell an operator what to do.
FAULTS = {
    "QueueDoesNotExist": ("", "no such queue"),
    "InvalidAddress": ("", "not one of this region"),
    "AccessDeniedException": ("User arn:aws:iam::1:user/x is not authorized", "may not do sqs:"),
    "InvalidClientTokenId": ("", "doesn't know these credentials"),
    "UnrecognizedClientException": ("", "doesn't know these credentials"),
    "ExpiredTokenException": ("", "session of the AWS credentials has expired"),
    "InvalidSignatureException": ("Signature expired: 2026 is now earlier", "clock"),
    "SignatureDoesNotMatch": ("The request signature we calculated", "secret key"),
    "RequestThrottled": ("", "throttles"),
    "ThrottlingException": ("Rate exceeded", "throttles"),
    "OverLimit": ("", "in flight"),
    "KmsAccessDenied": ("", "encryption key"),
    "SomethingNew": ("arn:aws:secret", "SomethingNew"),
}


@pytest.fixture
async def source(sqs_server: Sqs, liar: Liar) -> AsyncIterator[SqsSource]:
    """A queue behind it."""
    address = await sqs_server.make()
    opened = await sqs_server.open(read_address(address.url.replace(sqs_server.url, liar.url)))
    yield opened
    await opened.close()


@pytest.mark.parametrize("code", FAULTS)
async def test_each_refusal_of_sqs_has_words(source: SqsSource, liar: Liar, code: str) -> None:
    """A send that SQS refuses as a whole is STORE_UNAVAILABLE and says why; no AWS ids in it."""
    text, words = FAULTS[code]
    liar.lies["SendMessageBatch"] = [refusal(code, text)] * ASKED
    with pytest.raises(Unavailable) as caught:
        await source.queue().send("acme", b"{}")
    assert caught.value.code is Code.STORE_UNAVAILABLE
    assert words in caught.value.detail
    assert "arn:" not in caught.value.detail


async def test_a_short_refusal_is_repeated_by_the_sdk(source: SqsSource, liar: Liar) -> None:
    """Throttled once or twice, a send goes through all the same."""
    liar.lies["SendMessageBatch"] = [refusal("ThrottlingException")] * 2
    queue = source.queue()
    await queue.send("acme", b"{}")
    assert len(await queue.receive(10, wait=timedelta(0))) == 1


async def test_a_throttled_worker_settles_later(source: SqsSource, liar: Liar) -> None:
    """An ack that is throttled is an outage; asked again it is done, and nothing is lost."""
    queue = source.queue()
    await queue.send("acme", b"{}")
    batch = await queue.receive(10, wait=timedelta(0))
    liar.lies["DeleteMessageBatch"] = [refusal("ThrottlingException")] * ASKED
    with pytest.raises(Unavailable):
        await queue.ack(batch)
    assert await queue.ack(batch) == 1
    assert (await queue.stats()).depth == 0


async def test_a_queue_without_a_redrive_policy_is_refused(sqs_server: Sqs) -> None:
    """What fails must have somewhere to go."""
    await sqs_server.client.call("create_queue", QueueName="bare")
    with pytest.raises(ConfigError, match="no redrive policy"):
        await sqs_server.open(read_address(f"{sqs_server.url}/{OWNER}/bare"))


async def test_a_lease_longer_than_sqs_can_is_refused(sqs_server: Sqs) -> None:
    """SQS hides a message for 12 hours at most."""
    address = await sqs_server.make()
    with pytest.raises(ConfigError, match="12 h"):
        await sqs_server.open(address, lease=timedelta(hours=13))


async def test_a_queue_is_found_by_its_name(
    sqs_server: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name alone is looked up in the region and at the endpoint of the environment."""
    made = await sqs_server.make()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_server.url)
    source = await sqs_server.open(read_address(f"sqs://{made.name}"))
    assert source.pair.url == made.url
    await source.close()


async def test_without_a_region_there_is_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue whose region nothing tells is refused."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(ConfigError, match="region"):
        await SqsSource.open(QueueAddress("orders"), lease=LEASE, max_attempts=5)


def refused(short_dir: Path, queue: str, **environ: str) -> str:
    """The error output of a server that can't use its queue."""
    return refused_start(
        *("--port", "0", "--data-dir", str(short_dir / "d"), "--queue", queue),
        **(ENVIRON | environ),
    )


def test_a_start_without_credentials_says_so(short_dir: Path) -> None:
    """Without credentials nothing is started, and the setting is named."""
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    error = refused(short_dir, "https://sqs.eu-west-1.amazonaws.com/123456789012/q", **none)
    assert "--queue" in error
    assert "credentials" in error


def test_a_start_without_anybody_there_says_so(short_dir: Path) -> None:
    """A server that doesn't answer is named."""
    error = refused(short_dir, f"http://127.0.0.1:{free_port()}/{OWNER}/q")
    assert "can't be reached" in error


async def test_a_start_without_the_queue_says_so(sqs_server: Sqs, short_dir: Path) -> None:
    """A queue that doesn't exist is refused before anything is served."""
    assert "no such queue" in refused(short_dir, f"{sqs_server.url}/{OWNER}/nowhere")


@pytest.mark.parametrize(
    "url",
    [
        "https://sqs.eu-west-1.amazonaws.com/orders",
        "https://example.com/",
        "https://key:secret@sqs.eu-west-1.amazonaws.com/123456789012/q",
        "sqs://",
        "sqs://a.b",
        "http://127.0.0.1:x/123456789012/q",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/q?x=1",
    ],
)
def test_what_is_no_queue_url_is_refused(short_dir: Path, url: str) -> None:
    """A URL that can't be a queue's is bad usage, and a secret in it isn't shown."""
    error = refused(short_dir, url)
    assert "--queue" in error
    assert "key:secret" not in error

"""The calls of every batch: signed by hand, and the SDK's where that had no success."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from queueing import failed, receive
from sqsing import OWNER, REGION, Liar, Sqs, free_port, moto, refusal

from hookrack.errors import ConfigError, Unavailable
from hookrack.ports import LetterFilter
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_hot import ACTIONS
from hookrack.queues.sqs_open import SqsSource
from hookrack.sqs_address import QueueAddress, read_address

NO_WAIT = timedelta(0)
LEASE = timedelta(seconds=30)


@pytest.fixture
async def address(sqs_server: Sqs, liar: Liar) -> QueueAddress:
    """A queue behind it."""
    return read_address((await sqs_server.make()).url.replace(sqs_server.url, liar.url))


@pytest.fixture
async def source(sqs_server: Sqs, address: QueueAddress) -> AsyncIterator[SqsSource]:
    """The same, as the app opens it."""
    opened = await sqs_server.open(address)
    yield opened
    await opened.close()


def asked(liar: Liar) -> list[tuple[str, bool]]:
    """The calls of batches so far, and whether each was the SDK's."""
    calls = zip(liar.heard, liar.agents, strict=True)
    found = [(action, "botocore" in agent) for (action, _), agent in calls]
    return [each for each in found if each[0] in ACTIONS.values()]


async def test_no_call_of_a_batch_is_the_sdks(source: SqsSource, liar: Liar) -> None:
    """Send, receive, extend, retry, ack and bury go out signed by hand, and SQS takes them all."""
    queue = source.queue()
    await asyncio.gather(*(queue.send("acme", b'{"n": %d}' % n) for n in range(3)))
    first, second, third = await receive(queue)
    assert await queue.extend([first, second, third]) == 3
    assert await queue.ack([first]) == 1
    assert await queue.retry([failed(second)], delay=NO_WAIT) == 1
    assert await queue.bury([failed(third)]) == 1
    (again,) = await receive(queue)
    assert again.body == second.body
    (letter,) = (await source.letters().page(LetterFilter(), limit=10)).letters
    assert letter.envelope == third.body
    calls = asked(liar)
    assert {action for action, _ in calls} == set(ACTIONS.values())
    assert not any(is_sdk for _, is_sdk in calls)


async def test_after_a_refusal_the_sdk_is_asked_for_a_while(source: SqsSource, liar: Liar) -> None:
    """A refusal that the next call would get as well is asked again by the SDK, which says why;
    then nothing is asked twice for half a minute.
    """
    queue = source.queue()
    liar.lies["SendMessageBatch"] = [refusal("AccessDeniedException", status=403)]
    for number in range(3):
        await queue.send("acme", b"%d" % number)
    assert asked(liar) == [("SendMessageBatch", each) for each in (False, True, True, True)]
    assert len(await receive(queue)) == 3


@pytest.mark.parametrize(
    "lie",
    [refusal("ThrottlingException"), refusal("InternalError", status=503), (0, {}), (-1, {})],
    ids=["throttled", "a bad moment", "hung up", "reset"],
)
async def test_after_a_bad_moment_the_quick_way_goes_on(
    source: SqsSource, liar: Liar, lie: tuple[int, dict[str, Any]]
) -> None:
    """What passes by itself is asked again, and the next call is signed by hand as before."""
    queue = source.queue()
    liar.lies["SendMessageBatch"] = [lie]
    for number in range(2):
        await queue.send("acme", b"%d" % number)
    assert asked(liar) == [("SendMessageBatch", each) for each in (False, True, False)]
    assert len(await receive(queue)) == 2


async def test_what_is_throttled_isnt_asked_again_at_once_by_all(
    source: SqsSource, liar: Liar
) -> None:
    """Sixteen calls that are throttled together come again at different moments."""
    queue = source.queue()
    liar.lies["SendMessageBatch"] = [refusal("ThrottlingException")] * 16
    began = time.monotonic()
    await asyncio.gather(*(queue.send("acme", b"x") for _ in range(160)))
    assert time.monotonic() - began > 0.3  # the slowest of 16 took its breath
    assert len([each for each in asked(liar) if each[1]]) == 16


async def test_where_nobody_listens_the_quick_way_rests(sqs_server: Sqs) -> None:
    """When no connection can be made, the SDK says so, and its are the calls for a while."""
    await sqs_server.make()
    nowhere = f"http://127.0.0.1:{free_port()}/{OWNER}/q"
    client = await SqsClient.open(read_address(nowhere))
    hot = client._opened.hot
    assert hot is not None
    rested = [hot.rests]
    with pytest.raises(Unavailable, match="can't be reached"):
        await client.call("receive_message", QueueUrl=nowhere)
    rested.append(hot.rests)
    assert rested == [False, True]
    await client.close()


async def test_an_answer_that_is_none_is_asked_for_again(source: SqsSource, liar: Liar) -> None:
    """A 200 with anything but an object in it counts as no answer."""
    queue = source.queue()
    await queue.send("acme", b"x")
    liar.lies["ReceiveMessage"] = [(200, [])]  # type: ignore[list-item]
    assert [each.body for each in await receive(queue)] == [b"x"]


async def test_behind_a_proxy_there_is_only_the_sdk(
    sqs_server: Sqs, liar: Liar, address: QueueAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where calls go through a proxy, that is the SDK's affair."""
    monkeypatch.setenv("HTTP_PROXY", liar.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    source = await sqs_server.open(address)
    liar.lies["SendMessageBatch"] = [
        (200, {"Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}]})
    ]
    await source.queue().send("acme", b"x")
    assert asked(liar) == [("SendMessageBatch", True)]
    await source.close()


def write_keys(path: Path, key: str) -> None:
    """A credentials file, as a login leaves it."""
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = test\n")


async def test_credentials_that_are_renewed_on_disk_are_found(
    sqs_server: Sqs,
    liar: Liar,
    address: QueueAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session that has expired is looked for once more: after a new login the same call goes
    through, signed by the new keys, and no restart is needed.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.fspath(tmp_path / "keys"))
    write_keys(tmp_path / "keys", "OLD")
    source = await sqs_server.open(address)
    queue = source.queue()
    await queue.send("acme", b"0")
    write_keys(tmp_path / "keys", "NEW")
    await queue.send("acme", b"1")
    assert set(liar.signers) == {"OLD"}
    liar.lies["SendMessageBatch"] = [refusal("ExpiredTokenException", status=403)] * 2
    await queue.send("acme", b"2")
    assert liar.signers[-1] == "NEW"
    assert asked(liar)[-1] == ("SendMessageBatch", False)
    liar.lies["SendMessageBatch"] = [refusal("ExpiredTokenException", status=403)] * 2
    with pytest.raises(Unavailable, match="expired"):
        await queue.send("acme", b"3")
    await source.close()


async def test_a_server_that_checks_signatures_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """With authorisation switched on, a session's calls are let in, and those of a wrong secret
    are not.
    """
    async with moto() as url:
        iam, sts = (
            boto3.client(
                name,
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id=OWNER,
                aws_secret_access_key="test",
            )
            for name in ("iam", "sts")
        )
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        right = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", '
        right += '"Resource": "*"}}'
        iam.put_role_policy(RoleName="r", PolicyName="own", PolicyDocument=right)
        keys = sts.assume_role(RoleArn=role, RoleSessionName="sender")["Credentials"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
        httpx.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
        async with Liar(url).run() as between:
            where = read_address(f"{between.url}/{OWNER}/q")
            await use(where, between)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            with pytest.raises(ConfigError, match="GetQueueAttributes"):
                await SqsSource.open(where, lease=LEASE, max_attempts=5)


async def use(address: QueueAddress, liar: Liar) -> None:
    """Make the queue, send to it and receive; none of it falls back on the SDK."""
    client = await SqsClient.open(address)
    own = await Sqs(liar.url, client).make()
    await client.close()
    source = await SqsSource.open(own, lease=LEASE, max_attempts=5)
    queue = source.queue()
    await queue.send("acme", '{"ü": "&=+"}'.encode())
    (delivery,) = await receive(queue)
    assert await queue.ack([delivery]) == 1
    assert not any(is_sdk for _, is_sdk in asked(liar))
    await source.close()

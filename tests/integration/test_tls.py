"""HTTPS with a certificate of the operator's, as senders, the command line and attackers see it."""

import json
import os
import signal
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from harness import ADMIN_TOKEN, SECRET_KEY, Served, Wire, hookrack, refused_start, wait_until

Start = Callable[..., Served]
POST = b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates of this file."""
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """Certificate and key of 127.0.0.1 and localhost, as PEM files."""
    return written(authority.issue_cert("127.0.0.1", "localhost"), tmp_path)


def written(certificate: trustme.LeafCert, folder: Path) -> tuple[str, str]:
    """Certificate, with its chain, and key as the files that the settings name."""
    chain = b"".join(each.bytes() for each in certificate.cert_chain_pems)
    (folder / "cert.pem").write_bytes(chain)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    return str(folder / "cert.pem"), str(folder / "key.pem")


def trust(authority: trustme.CA) -> ssl.SSLContext:
    """A client's view: the authority, and names must fit."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def secure(start: Start, files: tuple[str, str], *options: str) -> Served:
    """A server with this certificate and key."""
    return start("--tls-cert", files[0], "--tls-key", files[1], *options)


async def test_requests_are_served_over_tls(
    own_server: Start, files: tuple[str, str], authority: trustme.CA
) -> None:
    """Address, banner and answers are https; what speaks plain HTTP there gets nothing."""
    served = secure(own_server, files, "--header-seconds", "2")
    assert served.url.startswith("https://127.0.0.1:")
    async with Wire(served.url, tls=trust(authority)) as wire:
        for _ in range(2):
            await wire.send(POST)
            assert (await wire.answer()).status == 202
        large = b'"%b"' % (b"a" * 600_000)
        await wire.send(POST[:-5].replace(b"h: 2", b"h: %d" % len(large)) + b"\n\r\n" + large)
        assert (await wire.answer()).status == 202
        await wire.send(b"nonsense\r\n\r\n")
        assert (await wire.answer()).code == "REQUEST_INVALID"
        assert await wire.ended()
    async with Wire(served.url.replace("https", "http")) as wire:
        await wire.send(POST)
        assert await wire.ended()


async def test_a_handshake_has_a_deadline(own_server: Start, files: tuple[str, str]) -> None:
    """Who connects and begins no handshake, or stops in it, is cut like a slow header."""
    served = secure(own_server, files, "--header-seconds", "1")
    for start in (b"", b"\x16\x03\x01\x02\x00\x01"):
        async with Wire(served.url.replace("https", "http")) as wire:
            await wire.send(start)
            assert await wire.ended()


@pytest.mark.parametrize(
    ("version", "welcome"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_old_versions_of_tls_are_refused(
    own_server: Start,
    files: tuple[str, str],
    authority: trustme.CA,
    *,
    version: ssl.TLSVersion,
    welcome: bool,
) -> None:
    """TLS 1.2 and 1.3 are spoken, nothing older."""
    served = secure(own_server, files)
    client = trust(authority)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = client.maximum_version = version
    if not welcome:
        with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset
            await Wire(served.url, tls=client).__aenter__()
        return
    async with Wire(served.url, tls=client) as wire:
        await wire.send(POST)
        assert (await wire.answer()).status == 202


async def test_the_command_line_knows_its_own_server(
    own_server: Start, authority: trustme.CA, tmp_path: Path
) -> None:
    """`hookrack get` knows the local server by its certificate, also one for other names."""
    files = written(authority.issue_cert("hooks.example.org"), tmp_path)
    served = secure(own_server, files)
    words = ("get", "deploys", "--account", "acme", "--data-dir", str(served.data_dir))
    secrets = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}

    def told() -> str:
        done = hookrack(*words, **secrets)
        assert done.returncode == 1
        return done.stderr

    assert "NO_EVENT" in told()
    left = served.data_dir / "server.json"
    other = authority.issue_cert("hooks.example.org").cert_chain_pems[0].bytes().decode()
    left.write_text(json.dumps(json.loads(left.read_text()) | {"certificate": other}))
    assert "not trusted" in told()


async def test_the_command_line_trusts_the_authority_that_it_is_given(
    own_server: Start, files: tuple[str, str], authority: trustme.CA, tmp_path: Path
) -> None:
    """With HOOKRACK_URL the certificate must fit, by HOOKRACK_CA or the usual authorities."""
    served = secure(own_server, files)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    where = {"HOOKRACK_URL": served.url, "HOOKRACK_TOKEN": ADMIN_TOKEN}
    words = ("get", "deploys", "--account", "acme")
    assert "NO_EVENT" in hookrack(*words, HOOKRACK_CA=str(ca), **where).stderr
    untrusted = hookrack(*words, **where)
    assert untrusted.returncode == 1
    assert "HOOKRACK_CA" in untrusted.stderr
    broken = hookrack(*words, HOOKRACK_CA=str(tmp_path / "none.pem"), **where)
    assert broken.returncode == 2
    assert "HOOKRACK_CA" in broken.stderr


async def test_a_renewed_certificate_is_taken_up(
    own_server: Start, files: tuple[str, str], authority: trustme.CA, tmp_path: Path
) -> None:
    """After SIGHUP new connections get the new certificate; a broken one leaves the old in use."""
    served = secure(own_server, files)
    client = trust(authority)
    client.check_hostname = False

    async def shown() -> bytes:
        async with Wire(served.url, tls=client) as wire:
            found = wire.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            return bytes(found)

    first = await shown()
    Path(files[1]).write_text("nonsense")
    os.kill(served.pid, signal.SIGHUP)
    await wait_until(
        lambda: any(line["event"] == "configuration.stale" for line in served.log()),
        what="a log line about the broken key",
    )
    assert await shown() == first
    written(authority.issue_cert("127.0.0.1"), tmp_path)
    os.kill(served.pid, signal.SIGHUP)

    async def renewed() -> bool:
        return await shown() != first

    await wait_until(renewed, what="the new certificate")


def test_a_certificate_for_the_network_is_enough(own_server: Start, files: tuple[str, str]) -> None:
    """With TLS an address that others can reach may be listened on."""
    served = secure(own_server, files, "--host", "0.0.0.0")
    assert served.url.startswith("https://127.0.0.1:")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("no certificate", "can't be read: No such file"),
        ("no key", "can't be read: No such file"),
        ("folder", "can't be read: Is a directory"),
        ("empty certificate", "holds no certificate"),
        ("broken certificate", "can't be used"),
        ("key in place of certificate", "holds no certificate"),
        ("certificate in place of key", "holds no private key"),
        ("broken key", "can't be used"),
        ("key of another", "is not the key of"),
        ("key with a passphrase", "has a passphrase"),
        ("certificate alone", "go together"),
        ("key alone", "go together"),
    ],
)
def test_faults_of_the_files_are_told(
    files: tuple[str, str], authority: trustme.CA, tmp_path: Path, *, fault: str, told: str
) -> None:
    """What is wrong with certificate or key ends the start, with option and mend."""
    cert, key = files
    other = tmp_path / "other"
    other.mkdir()
    _, other_key = written(authority.issue_cert("127.0.0.1"), other)
    damaged = "-----BEGIN {0}-----\nbm9uc2Vuc2U=\n-----END {0}-----\n"
    certs, keys = {"no certificate": "none.pem", "folder": str(tmp_path)}, {"no key": "none.pem"}
    if fault == "empty certificate":
        Path(cert).write_text("")
    elif fault == "broken certificate":
        Path(cert).write_text(damaged.format("CERTIFICATE"))
    elif fault == "broken key":
        Path(key).write_text(damaged.format("PRIVATE KEY"))
    elif fault == "key with a passphrase":
        encrypt(key)
    certs |= {"key in place of certificate": key}
    keys |= {"certificate in place of key": cert, "key of another": other_key}
    words = {"--tls-cert": certs.get(fault, cert), "--tls-key": keys.get(fault, key)}
    if fault.endswith("alone"):
        del words["--tls-key" if fault.startswith("cert") else "--tls-cert"]
    options = [word for pair in words.items() for word in pair]
    error = refused_start("--data-dir", str(tmp_path / "data"), "--port", "0", *options)
    assert told in error
    assert "--tls-" in error
    assert not (tmp_path / "data").exists()


def encrypt(key: str) -> None:
    """Put a passphrase on a key."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - for this one test

    found = serialization.load_pem_private_key(Path(key).read_bytes(), password=None)
    Path(key).write_bytes(
        found.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def test_the_banner_has_lines_that_work(own_server: Start, files: tuple[str, str]) -> None:
    """The curl lines of the banner can be copied, with TLS too."""
    served = secure(own_server, files)
    sends, _ = (line.strip() for line in served.banner if line.startswith("  curl"))
    done = subprocess.run(["bash", "-c", f"{sends} -s"], capture_output=True, check=True)
    assert json.loads(done.stdout)["status"] == "accepted"

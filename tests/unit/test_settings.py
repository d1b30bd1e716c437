"""Settings: four sources in one order, and faults that say where a value came from."""

import copy
import dataclasses
import ipaddress
import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hookrack.errors import ConfigError
from hookrack.flows import parse_configuration
from hookrack.settings import Documented, Secret, Settings, documented_settings, load_settings

ROWS = documented_settings()
NAMED = {row.name: row for row in ROWS}
# What a setting needs beside it: a queue of its own a store, a certificate its key.
BESIDE = {
    "queue": {"store": "redis://one"},
    "tlsCert": {"tlsKey": "key.pem"},
    "tlsKey": {"tlsCert": "cert.pem"},
}
URLS = ("redis://o", "rediss://e", "unix:///f")
SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"


def nets(*texts: str) -> tuple[Any, ...]:
    """Networks by their texts."""
    return tuple(map(ipaddress.ip_network, texts))


def sec(text: str) -> Secret:
    """A token by its text, made long enough."""
    return Secret(text * 32)


SPANS = (("1s", "2m", 3), (timedelta(seconds=1), timedelta(minutes=2), timedelta(seconds=3)))
SIZES = (("2001", "2002", 2003), (2001, 2002, 2003))
# For each setting a value from an option, the environment and the file, and what comes of each.
# A setting without samples fails the test, so that no new one is forgotten.
SAMPLES: dict[str, tuple[tuple[Any, str, Any], tuple[Any, ...]]] = {
    "config": (("o.yaml", "e.yaml", "f.yaml"), (Path("o.yaml"), Path("e.yaml"), Path("f.yaml"))),
    "host": (("127.0.0.2", "::1", "localhost"), ("127.0.0.2", "::1", "localhost")),
    "port": (("1", "2", 3), (1, 2, 3)),
    "tlsCert": (("o", "e", "f"), (Path("o"), Path("e"), Path("f"))),
    "tlsKey": (("o", "e", "f"), (Path("o"), Path("e"), Path("f"))),
    "trustedProxies": (
        ("10.0.0.0/8", "127.0.0.1, fd00::/8", ["::1"]),
        (nets("10.0.0.0/8"), nets("127.0.0.1", "fd00::/8"), nets("::1")),
    ),
    "maxHeaderBytes": SIZES,
    "maxHeaders": (("11", "12", 13), (11, 12, 13)),
    "headerSeconds": SPANS,
    "bodySeconds": SPANS,
    "minBytesPerSecond": SIZES,
    "keepAliveSeconds": SPANS,
    "maxConnections": SIZES,
    "maxConnectionsPerAddress": SIZES,
    "maxWaitingReaders": SIZES,
    "dataDir": (("/o", "/e", "/f"), (Path("/o"), Path("/e"), Path("/f"))),
    "store": (URLS, tuple(map(Secret, URLS))),
    "queue": (URLS, tuple(map(Secret, URLS))),
    "storeAcceptLoss": (
        ("aof", "aof, fsync", ["eviction"]),
        (("aof",), ("aof", "fsync"), ("eviction",)),
    ),
    "storePrefix": (("o:", "e:", "f:"), ("o:", "e:", "f:")),
    "maxMemory": (("1", "2", 3), (1, 2, 3)),
    "role": (("edge", "worker,api", ["api"]), (("edge",), ("worker", "api"), ("api",))),
    "workers": (("2", "3", 4), (2, 3, 4)),
    "batchSize": (("1", "2", 3), (1, 2, 3)),
    "lease": SPANS,
    "maxAttempts": (("1", "2", 3), (1, 2, 3)),
    "adminToken": (("o" * 32, "e" * 32, "f" * 32), (sec("o"), sec("e"), sec("f"))),
    "secretKey": (("o" * 32, "e" * 32, "f" * 32), (sec("o"), sec("e"), sec("f"))),
    "logSuccess": ((True, "true", True), (True, True, True)),
}


def fault(
    options: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    file: dict[str, Any] | None = None,
) -> ConfigError:
    """What is wrong with settings that have a fault."""
    with pytest.raises(ConfigError) as caught:
        load_settings(options or {}, environ=environ or {}, file=file, file_name="h.yaml")
    return caught.value


def test_every_setting_has_samples() -> None:
    """The tests below cover every setting there is."""
    assert set(SAMPLES) == set(NAMED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_option_beats_environment_beats_file_beats_default(row: Documented) -> None:
    """Each setting comes from its option, else the environment, else the file, else the default."""
    (option, variable, in_file), (from_option, from_environ, from_file) = SAMPLES[row.name]
    file = {row.name: in_file} | BESIDE.get(row.name, {})
    options, environ = {row.field: option}, {row.variable: variable}
    load = load_settings
    found = {
        row.option: load(options, environ=environ, file=file),
        f"{row.variable} in the environment": load({}, environ=environ, file=file),
        f"settings.{row.name} in h.yaml": load({}, environ={}, file=file, file_name="h.yaml"),
        f"{row.name} in default.toml": load({}, environ={}, file={}),
    }
    values = [getattr(each, row.field) for each in found.values()]
    assert values[:3] == [from_option, from_environ, from_file]
    assert [each.origins[row.field] for each in found.values()] == list(found)
    unset = load({row.field: None}, environ={}, file=file)
    assert getattr(unset, row.field) == from_file


def test_false_is_a_value() -> None:
    """A setting that is switched off by an option stays off, whatever the others say."""
    found = load_settings({"log_success": False}, environ={"HOOKRACK_LOG_SUCCESS": "true"})
    assert found.log_success is False


def test_the_defaults_are_what_default_toml_says() -> None:
    """Without any source the values are those that are documented."""
    found = load_settings({}, environ={})
    assert (found.host, found.port, found.data_dir) == ("127.0.0.1", 8080, Path(".hookrack"))
    assert (found.role, found.embedded) == (("edge", "worker", "api"), True)
    assert (found.lease, found.max_attempts) == (timedelta(seconds=30), 5)
    assert not found.admin_token
    assert not found.log_success


def test_the_environment_of_others_is_ignored() -> None:
    """Variables that aren't ours, or not settings, are nobody's fault."""
    environ = {"PORT": "9", "HOOKRACK_URL": "x", "HOOKRACK_NO_SUCH": "x", "hookrack_port": "9"}
    assert load_settings({}, environ=environ) == load_settings({}, environ={})


BAD = [
    ("port", "65536", "not between 0 and 65535"),
    ("port", "-1", "not a whole number"),
    ("port", "80.5", "not a whole number"),
    ("port", "", "not a whole number"),
    ("port", True, "not a whole number"),
    ("port", "9" * 30, "not a whole number"),
    ("workers", 0, "not between 1 and 64"),
    ("workers", 65, "not between 1 and 64"),
    ("batchSize", 1_001, "not between 1 and 1000"),
    ("maxAttempts", 0, "not between 1 and 100"),
    ("maxMemory", "512mb", "not a whole number"),
    ("lease", "0s", "at least 1 second"),
    ("lease", "soon", "not a duration"),
    ("role", "edge,cook", "cook is not of edge, worker, api"),
    ("role", "", "nothing is not of"),
    ("role", [], "nothing is not of"),
    ("role", [1], "not a text"),
    ("role", {"edge": True}, "not a list"),
    ("storeAcceptLoss", "everything", "everything is not of aof"),
    ("storePrefix", "", "not 1 to 64"),
    ("storePrefix", "a{b}:", "not 1 to 64"),
    ("storePrefix", "x" * 65, "not 1 to 64"),
    ("logSuccess", "maybe", "neither true nor false"),
    ("store", "http://h", "not a URL such as"),
    ("store", "localhost", "not a URL such as"),
    ("store", 6379, "not a text"),
    ("queue", "https://sqs.eu-west-1.amazonaws.com/1/q", "not a queue URL"),
    ("queue", "amqp://h", "not a URL such as"),
    ("host", 1, "not a text"),
    ("host", "", "no address and no name"),
    ("host", "a b", "no address and no name"),
    ("host", "http://h", "no address and no name"),
    ("tlsCert", 1, "not a text"),
    ("trustedProxies", "10.0.0.0/33", "no network such as"),
    ("trustedProxies", "10.0.0.1/8", "did you mean 10.0.0.0/8?"),
    ("trustedProxies", "127.0.0.1,proxy", "'proxy' is no network such as"),
    ("trustedProxies", [7], "not a text"),
    ("headerSeconds", "0", "at least 1 second"),
    ("maxHeaders", 9, "not between 10 and 1000"),
    ("maxConnections", "many", "not a whole number"),
    ("dataDir", 1, "not a text"),
    ("adminToken", "too-short", "shorter than 32 characters"),
    ("adminToken", 12345678901234567890123456789012, "not a text"),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD, ids=lambda value: str(value)[:14])
def test_a_bad_value_says_where_it_came_from(name: str, value: object, said: str) -> None:
    """A value that can't be used is a fault of its source, with what would be valid."""
    row = NAMED[name]
    found = {
        row.option: fault({row.field: value}),
        f"settings.{name} in h.yaml": fault(file={name: value}),
    }
    if isinstance(value, str):
        found[f"{row.variable} in the environment"] = fault(environ={row.variable: value})
    for where, error in found.items():
        assert error.where == where
        assert said in error.detail
        assert error.mend == row.help


@pytest.mark.parametrize(("name", "value"), [("no", False), ("0", False), ("YES", True), (1, True)])
def test_flags_are_written_in_several_ways(name: object, value: bool) -> None:
    """A flag is true, yes or 1, or false, no or 0."""
    assert load_settings({}, environ={}, file={"logSuccess": name}).log_success is value


def test_lists_may_be_spaced_and_say_things_twice() -> None:
    """A list in one text is split at commas; blanks and repetitions don't count."""
    assert load_settings({"role": " api , edge,,api"}, environ={}).role == ("api", "edge")


def test_an_unknown_setting_is_refused() -> None:
    """A setting that there isn't is a fault that names the ones there are."""
    error = fault(file={"prot": 1})
    assert error.where == "settings.prot in h.yaml"
    assert error.mend == "Did you mean port?"
    assert all(name in fault(file={"zzz": 1}).mend for name in NAMED)


@pytest.mark.parametrize(
    "url", ["redis://h:port", "redis://h:99999", "redis://h?db=x", "redis://h/x", "unix://"]
)
def test_what_only_looks_like_a_url_is_refused(url: str) -> None:
    """A port or database that is none is a fault of the setting, not of Python."""
    assert fault({"store": url}).where == "--store"


def test_a_folder_in_the_file_begins_at_the_file() -> None:
    """A relative data directory in a configuration file is one beside it."""
    found = load_settings({}, environ={}, file={"dataDir": "data"}, file_name="/etc/h/h.yaml")
    assert found.data_dir == Path("/etc/h/data")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost"])
def test_a_loopback_address_is_fine(host: str) -> None:
    """What only this machine can reach may be listened on."""
    assert load_settings({"host": host}, environ={}).host == host


def test_an_address_may_stand_in_brackets() -> None:
    """An IPv6 address may be written as in a URL."""
    assert load_settings({"host": "[::1]"}, environ={}).host == "::1"


PUBLIC = ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org", "127.1"]


@pytest.mark.parametrize("host", PUBLIC)
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    """What others can reach needs TLS or a trusted proxy; the mend names all three ways out."""
    error = fault(environ={"HOOKRACK_HOST": host})
    assert error.where == "HOOKRACK_HOST in the environment"
    for way in ("--tls-cert", "--tls-key", "--trusted-proxies", "127.0.0.1"):
        assert way in error.mend


@pytest.mark.parametrize("host", PUBLIC)
@pytest.mark.parametrize(
    "guard", [{"tls_cert": "c", "tls_key": "k"}, {"trusted_proxies": "10.0.0.0/8"}], ids=str
)
def test_with_tls_or_a_proxy_any_address_is_fine(host: str, guard: dict[str, str]) -> None:
    """Either of the two lets in whom the address lets in."""
    assert load_settings({"host": host, **guard}, environ={}).host == host


@pytest.mark.parametrize(("one", "other"), [("tls_cert", "tls-key"), ("tls_key", "tls-cert")])
def test_a_certificate_needs_its_key(one: str, other: str) -> None:
    """One of the two alone is a fault of that one, and the mend names the other."""
    error = fault({one: "file.pem"})
    assert error.where == "--" + one.replace("_", "-")
    assert f"--{other}" in error.mend


def test_a_queue_of_its_own_needs_a_store_of_its_own() -> None:
    """A queue elsewhere beside an embedded store is refused where the queue is named."""
    assert fault({"queue": "redis://h"}).where == "--queue"
    assert not load_settings({"queue": "redis://h", "store": "redis://h"}, environ={}).embedded


def test_settings_never_change() -> None:
    """What a process was told holds until it ends."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}, environ={}).port = 1  # type: ignore[misc]


def test_a_path_may_begin_at_home() -> None:
    """~ in a path is the user's home."""
    assert load_settings({"data_dir": "~/x"}, environ={}).data_dir == Path.home() / "x"


def test_a_home_that_there_is_not_is_a_fault() -> None:
    """The home of a user that there isn't is a bad value like any other."""
    assert fault({"data_dir": "~no-such-user-here/x"}).where == "--data-dir"


@pytest.mark.parametrize("name", ["dataDir", "config"])
def test_an_empty_path_is_no_path(name: str) -> None:
    """A path that was left empty never means the folder one happens to stand in."""
    row = NAMED[name]
    assert fault(environ={row.variable: ""}).where == f"{row.variable} in the environment"


# Secrets ----------------------------------------------------------------------------------------


def shown(value: object) -> str:
    """Everything that a log, a trace or a debugger would print of a value."""
    return f"{value!r} {value!s} {value} {[value]} {json.dumps(value, default=str)} {value=}"


def test_a_secret_never_prints_itself() -> None:
    """However a secret is printed, its text isn't there; whether there is one, is."""
    secret = Secret(SECRET)
    assert SECRET not in shown(secret) + f"{secret:}" + "{}".format(secret)  # noqa: UP032 - one way
    assert secret.reveal() == SECRET
    assert (bool(secret), bool(Secret(""))) == (True, False)
    assert repr(secret) != repr(Secret(""))


def test_secrets_are_equal_by_their_text() -> None:
    """Two secrets of the same text are one; a text is never equal to a secret."""
    assert Secret(SECRET) == Secret(SECRET) != Secret("x")
    assert len({Secret(SECRET), Secret(SECRET)}) == 1
    assert Secret(SECRET) != SECRET
    assert copy.deepcopy(Secret(SECRET)) == pickle.loads(pickle.dumps(Secret(SECRET)))  # noqa: S301


def test_settings_never_show_the_token() -> None:
    """The admin token isn't in anything that is printed of settings."""
    found = load_settings({}, environ={"HOOKRACK_ADMIN_TOKEN": SECRET})
    assert found.admin_token.reveal() == SECRET
    assert SECRET not in shown(found) + repr(dataclasses.asdict(found))


@pytest.mark.parametrize(
    "token",
    ["hunter2", f"{SECRET}\n", f"\t{SECRET}", f"{SECRET}\x7f", f"a\0{SECRET}"],
    ids=ascii,
)
def test_a_refused_token_is_not_shown(token: str) -> None:
    """What is wrong with a token is said without it."""
    for error in (
        fault(environ={"HOOKRACK_ADMIN_TOKEN": token}),
        fault(file={"adminToken": token}),
    ):
        assert "hunter2" not in shown(error) + repr(error.args)


@pytest.mark.parametrize("field", ["store", "queue"])
@pytest.mark.parametrize(
    "url",
    [
        "http://u:hunter2@h",
        "u:hunter2@h:6379",
        "//u:hunter2@h",
        "redis://u:hunter2@[h",
        "redis://u:hunter2\u2100@h",
    ],
    ids=ascii,
)
def test_a_refused_url_keeps_its_password(field: str, url: str) -> None:
    """What is wrong with a URL is said without the password in it."""
    assert "hunter2" not in shown(fault({field: url}))


def test_settings_never_show_a_password() -> None:
    """The password in a store's URL isn't in anything that is printed of settings."""
    found: Settings = load_settings({"store": "redis://u:hunter2@h"}, environ={})
    assert "hunter2" not in shown(found)


def test_a_token_in_the_file_comes_from_the_environment() -> None:
    """${NAME} in the file's settings is read from the environment, as it is in its flows."""
    text = "version: 1\nsettings: {adminToken: '${HOOKRACK_TOKEN_OF_THIS_INSTALLATION}'}"
    environ = {"HOOKRACK_TOKEN_OF_THIS_INSTALLATION": SECRET}
    file = parse_configuration(text, name="h.yaml", environ=environ).settings
    assert load_settings({}, environ=environ, file=file).admin_token.reveal() == SECRET

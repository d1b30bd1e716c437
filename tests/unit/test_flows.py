"""The flow file: what it means, and how its faults are told."""

import itertools
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.edge.auth import Auth, Credential
from hookrack.errors import ConfigError
from hookrack.flows import (
    DEFAULT_BODY_BYTES,
    Account,
    Configuration,
    Flow,
    WebhookKey,
    parse_configuration,
    read_configuration,
)
from hookrack.model import DEFAULT_MAX_TTL, DEFAULT_TTL
from hookrack.settings import Secret

TESTS = Path(__file__).parents[1]
EXAMPLE = TESTS.parent / "examples" / "hookrack.yaml"
FILE = (TESTS / "fixtures" / "flow.yaml").read_text()
LISTS = {
    "KEYS": "[erp, {key: audit, ttl: 7d}]",
    "SECRETS": '["hunter2-in-file", "${SECRET}"]',
}
ENVIRON = {"SECRET": "hunter2-in-environment", "EMPTY": " ", "TTL": "5h", "KEY": "erp2"}


def parse(text: str) -> Configuration:
    """Read the text of a flow file."""
    return parse_configuration(text, name="h.yaml", environ=ENVIRON)


def rule(in_file: str, in_environment: str) -> Auth:
    """The rule of orders: one secret in the file, one that SECRET names."""
    return Auth(
        "secret",
        (Credential(Secret(in_file)), Credential(Secret(in_environment), "SECRET")),
    )


def fault(text: str) -> ConfigError:
    """What is wrong with a text; whatever it is, no secret is shown."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.args}"
    assert caught.value.mend
    return caught.value


def changed(old: str, new: str) -> str:
    """The good file with one place changed."""
    assert FILE.count(old) >= 1
    return FILE.replace(old, new, 1)


def test_a_flow_file_says_accounts_flows_and_keys() -> None:
    """Every field of the file arrives where it is used."""
    account = parse(FILE).accounts["acme"]
    assert (account.id, account.ttl, account.max_ttl) == (
        *("acme", timedelta(days=1), timedelta(days=7)),
    )
    assert list(account.flows) == ["orders", "open"]
    assert account.flows["orders"] == Flow(
        account="acme",
        id="orders",
        keys=(WebhookKey("erp"), WebhookKey("audit", timedelta(days=7))),
        auth=rule("hunter2-in-file", "hunter2-in-environment"),
        ttl=timedelta(hours=6),
        max_body_bytes=262_144,
    )
    assert account.flows["open"] == Flow(
        "acme", "open", (WebhookKey("one"), WebhookKey("two")), Auth("none")
    )


def test_what_is_left_out_has_a_default() -> None:
    """Accounts, flows and limits may be left out or blank."""
    assert parse("version: 1") == Configuration()
    assert parse("version: 1\naccounts:\nsettings:\n") == Configuration()
    blank = parse("version: 1\naccounts: {a: , b: {flows: }}").accounts
    assert [each.max_ttl for each in blank.values()] == [DEFAULT_MAX_TTL, DEFAULT_MAX_TTL]
    flow = parse(changed("limits: {maxBodyBytes: 262144}", "limits:")).find_flow("acme", "orders")
    assert flow is not None
    assert flow.max_body_bytes == DEFAULT_BODY_BYTES


def test_flows_are_found_by_account_and_id() -> None:
    """A flow belongs to its account and is found nowhere else."""
    found = parse(FILE + "  kairos:\n    flows: {}\n")
    assert found.find_flow("acme", "orders") is found.accounts["acme"].flows["orders"]
    assert [
        found.find_flow(*each) for each in (("kairos", "orders"), ("acme", "x"), ("x", "x"))
    ] == [
        *(None, None, None),
    ]


def test_settings_stand_beside_the_accounts() -> None:
    """What stands under settings is handed on as it is."""
    found = parse("version: 1\nsettings: {port: 9, role: [edge]}")
    assert found.settings == {"port": 9, "role": ["edge"]}


def test_the_example_file_is_good() -> None:
    """The file that `make run` serves has no fault."""
    assert set(read_configuration(EXAMPLE, environ={}).accounts) == {"acme", "kairos"}


def test_texts_take_variables_from_the_environment() -> None:
    """${NAME} is replaced in secrets, keys and durations."""
    text = changed("ttl: 6h", "ttl: '${TTL}'").replace("[erp,", "['${KEY}', 'a-${KEY}-${TTL}',")
    flow = parse(text).accounts["acme"].flows["orders"]
    assert flow.ttl == timedelta(hours=5)
    assert [each.key for each in flow.keys] == ["erp2", "a-erp2-5h", "audit"]


def test_a_variable_is_replaced_once() -> None:
    """What a variable holds isn't searched for variables again."""
    environ = {"SECRET": "${OTHER}", "OTHER": "x"}
    flow = parse_configuration(FILE, name="h", environ=environ).accounts["acme"].flows["orders"]
    assert flow.auth == rule("hunter2-in-file", "${OTHER}")


def test_yaml_is_read_in_all_its_forms() -> None:
    """Anchors, merged mappings, comments, CRLF and hexadecimal numbers are YAML."""
    text = """\
        version: 1
        accounts:
          a: &base {ttl: 1h} # an hour
          b:
            <<: *base
            maxTtl: 0x1C20
        """
    found = parse(textwrap.dedent(text).replace("\n", "\r\n")).accounts
    assert (found["b"].ttl, found["b"].max_ttl) == (timedelta(hours=1), timedelta(hours=2))


def faults() -> list[Any]:
    """The rows of flow-faults.txt, as cases of a test."""
    cases = []
    for row in (TESTS / "fixtures" / "flow-faults.txt").read_text().splitlines():
        if not row.startswith("#"):
            case, old, new, field, line, said, mend = (cell.strip() for cell in row.split(" | "))
            old = LISTS.get(old, old).replace("\\n", "\n").replace("KEYS", LISTS["KEYS"])
            text = changed(old, new)
            cases.append(
                pytest.param(text, field, int(line), said, mend, id=case.replace(" ", "-"))
            )
    return cases


@pytest.mark.parametrize(("text", "field", "line", "said", "mend"), faults())
def test_a_fault_names_field_line_and_mend(
    text: str, field: str, line: int, said: str, mend: str
) -> None:
    """Every fault of a file names its field, the file and line, and how to mend it."""
    error = fault(text)
    assert f".{error.where}".endswith(f".{field} in h.yaml, line {line}")
    assert said in error.detail
    assert mend in error.mend


SHAPES = {
    "accounts": (changed("accounts:\n", "accounts: x\nsettings:\n"), "accounts", 2),
    "account": ("version: 1\naccounts:\n  acme: [x]", "accounts.acme", 3),
    "flow": (FILE + "      x: hunter2", "accounts.acme.flows.x", 18),
    "auth": (
        changed("auth:\n          type: none", "auth: none"),
        "accounts.acme.flows.open.auth",
        16,
    ),
    "limits": (changed("{maxBodyBytes: 262144}", "5"), "accounts.acme.flows.orders.limits", 11),
}


@pytest.mark.parametrize(("text", "field", "line"), SHAPES.values(), ids=SHAPES)
def test_what_must_be_a_mapping_is_named(text: str, field: str, line: int) -> None:
    """A field that holds no mapping where one belongs is named with its line."""
    assert fault(text).where == f"{field} in h.yaml, line {line}"


def test_a_blank_flow_has_a_line() -> None:
    """What a flow without any field lacks is told with the line of the flow."""
    assert (
        fault(FILE + "      blank:\n").where == "accounts.acme.flows.blank.keys in h.yaml, line 18"
    )


BROKEN = {
    "tab": (changed("    ttl: 1d", "\tttl: 1d"), 4),
    "bracket": (changed('"${SECRET}"]}', '"${SECRET}"}'), 10),
    "escape": (changed("hunter2-in-file", "hunter2\\q"), 10),
    "field-twice": (changed("limits: {", "ttl: 7h\n        limits: {"), 11),
    "secrets-twice": (changed("]}\n        limits", "], secrets: [hunter2]}\n        limits"), 10),
    "flow-twice": (FILE + "      orders: {keys: [hunter2]}", 18),
    "account-twice": (FILE + "  acme: {flows: {a: {auth: {secrets: [hunter2]}}}}", 18),
    "indent": (changed("        ttl: 6h", "       ttl: 6h\n         x: hunter2"), 9),
    "two-documents": (FILE + "---\nhunter2: 1", 18),
}


@pytest.mark.parametrize(("text", "line"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_yaml_has_a_line(text: str, line: int) -> None:
    """A slip of YAML, a field that stands twice among them, is told with line and column."""
    error = fault(text)
    assert error.where.startswith(f"h.yaml, line {line}, column ")


@pytest.mark.parametrize(
    ("text", "said", "mend"),
    [
        (BROKEN["tab"][0], "found character '\\t' that cannot start any token", "spaces"),
        (BROKEN["bracket"][0], "expected ',' or ']', but got '}' (while parsing a", "Mend"),
        (BROKEN["escape"][0], "found unknown escape character 'q' (while scanning", "twice"),
        (BROKEN["flow-twice"][0], 'key "orders" (while constructing a mapping that', "Drop one"),
        (FILE + "  b: [", "while parsing a flow node", "Mend"),
        (FILE + "  b: @x", "found character '@' that cannot start any token", "in quotes"),
        (FILE + "  b: *x", "found undefined alias", "begins with *"),
        (FILE + "  b: x: y", "mapping values are not allowed here", "with a colon"),
    ],
)
def test_what_is_no_yaml_is_told_whole(text: str, said: str, mend: str) -> None:
    """The parser's words come whole, with what began before; only what it quotes is left out."""
    error = fault(text)
    assert said in error.detail
    assert mend in error.mend


@pytest.mark.parametrize(
    "text", ["", "# nothing", "hello", "[]", "- version: 1", "7", "\0", "[" * 600]
)
def test_what_is_no_flow_file_is_refused(text: str) -> None:
    """A file that isn't a mapping, or not even YAML, is a fault of the file."""
    assert "h.yaml" in fault(text).where


@pytest.mark.parametrize(
    "secret",
    [
        *("hunter2", "'hunter2", '"hunter2', "hunter2: x", "@hunter2", "%hunter2", "|hunter2"),
        *(
            "!hunter2",
            "!!int hunter2 x",
            "&hunter2",
            "? hunter2",
            "- hunter2",
            "hunter2}",
            "`hunter2",
        ),
        *(
            "{hunter2: 1}",
            "[hunter2]",
            "hunter2, hunter2]]",
            '"hunter2\\x',
            "#hunter2",
            "hunter2\0",
        ),
        "*hunter2",
        "!!timestamp hunter2",
    ],
    ids=ascii,
)
def test_a_secret_is_never_shown(secret: str) -> None:
    """However a secret is written, right or wrong, no fault shows it."""
    for text in (changed('"hunter2-in-file"', secret), changed("ttl: 6h", "tll: 6h")):
        try:
            shown = repr(parse(text.replace('"hunter2-in-file"', secret)))
        except ConfigError as exc:
            shown = f"{exc} {exc!r} {exc.args}"
        assert "hunter2" not in shown


@pytest.mark.parametrize(
    "auth",
    ["type: secret secrets hunter2", "type: hunter2", "type: secret, [hunter2]: x"],
    ids=["lost-comma", "as-type", "list-as-field"],
)
def test_a_secret_in_the_wrong_place_is_not_shown(auth: str) -> None:
    """A secret where a type or a field belongs is no reason to show it."""
    fault(changed("type: secret, secrets: " + LISTS["SECRETS"], auth))


def test_anchors_may_be_used_again() -> None:
    """A name that is anchored twice is YAML, and nothing of the file is printed."""
    text = changed('"hunter2-in-file", "${SECRET}"', "&s hunter2, &s hunter3")
    assert parse(text) == parse(changed('"hunter2-in-file", "${SECRET}"', "hunter2, hunter3"))


@pytest.mark.parametrize("name", ["1", "~", "[port]", "2026-01-01"])
def test_a_setting_has_a_text_as_name(name: str) -> None:
    """A setting whose name isn't even a text is a fault of the file."""
    assert fault(f"version: 1\nsettings: {{{name}: x}}").detail == "is no field"


def test_a_configuration_never_shows_the_token() -> None:
    """The admin token of a file isn't in anything that is printed of its configuration."""
    assert "hunter2" not in repr(parse("version: 1\nsettings: {adminToken: hunter2}"))


@pytest.mark.parametrize("secret", ['"\\ud800"', '"${ODD}"'], ids=["file", "environment"])
def test_a_secret_that_is_no_text_is_a_fault(secret: str) -> None:
    """A secret of half a surrogate pair, or of bytes that are no UTF-8, is a fault of its field."""
    text = changed('"hunter2-in-file"', secret)
    with pytest.raises(ConfigError, match="secrets"):
        parse_configuration(text, name="h.yaml", environ=ENVIRON | {"ODD": "a\udcff"})


@pytest.mark.parametrize("value", ["!!int ''", "!!float ''", "!!set x", "!!omap x"])
def test_a_strange_tag_is_a_fault(value: str) -> None:
    """A YAML tag that doesn't fit its value is a fault like any other."""
    assert "h.yaml" in fault(changed("ttl: 1d", f"ttl: {value}")).where


@pytest.mark.parametrize("text", ["${SECRET-ONE}", "${}", "${SECRET", "${ SECRET }"])
def test_a_misspelt_variable_is_a_fault(text: str) -> None:
    """${ that begins no variable is a slip, not a secret that everybody can read."""
    assert "secrets" in fault(changed("${SECRET}", text)).where


@pytest.mark.parametrize("version", ["true", "1.0"])
def test_only_one_is_version_one(version: str) -> None:
    """The version is the whole number 1."""
    assert fault(changed("version: 1", f"version: {version}")).where == "version in h.yaml, line 1"


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_any_slip_is_a_fault_or_harmless(data: st.DataObject) -> None:
    """A file with lines lost, repeated or moved in is read, or refused as a file."""
    lines = FILE.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line, indent = lines.pop(at), data.draw(st.sampled_from(["", "  ", "    "]))
        again = data.draw(st.integers(0, len(lines)))
        lines[again:again] = data.draw(
            st.sampled_from([[], [line], [indent + line.strip()], [line] * 2])
        )
    try:
        parse("\n".join(lines))
    except ConfigError as exc:
        where = exc.where
    else:
        where = "h.yaml"
    assert "h.yaml" in where


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A file that isn't there, is a folder, or is no UTF-8 is named with the reason."""
    (tmp_path / "latin").write_bytes(b"version: 1 # \xe9")
    reasons = {"missing": "No such file or directory", ".": "Is a directory", "latin": "not UTF-8"}
    for name, reason in reasons.items():
        with pytest.raises(ConfigError) as caught:
            read_configuration(tmp_path / name, environ={})
        assert caught.value.detail == f"can't be read: {reason}"
        assert caught.value.where == str(tmp_path / name)


HOURS = [None, *(timedelta(hours=n) for n in (1, 2, 3, 4))]


@pytest.mark.parametrize("cap", [timedelta(hours=1), timedelta(hours=2), timedelta(days=30)])
def test_the_nearest_time_to_live_wins(cap: timedelta) -> None:
    """Event's own beats key's beats flow's beats account's beats 24 h; maxTtl caps each of them."""
    for present in itertools.product([False, True], repeat=4):
        own, of_key, of_flow, of_account = (
            HOURS[place + 1] if there else None for place, there in enumerate(present)
        )
        key = WebhookKey("erp", of_key)
        flow = Flow("acme", "orders", (key,), Auth("none"), ttl=of_flow)
        account = Account("acme", {"orders": flow}, ttl=of_account, max_ttl=cap)
        first = next((ttl for ttl in (own, of_key, of_flow, of_account) if ttl), DEFAULT_TTL)
        assert account.resolve_ttl(flow, key, own=own) == min(first, cap)

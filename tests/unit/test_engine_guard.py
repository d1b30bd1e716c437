"""The guard's reading of an AOF: what is a torn tail, and what is damage."""

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrack.engine import guard
from hookrack.errors import ConfigError

TORN = "12:M 01 Jan 2026 00:00:00.000 # Unexpected end of file reading the append only file x."
MULTI, EXEC = (b"MULTI",), (b"EXEC",)


def resp(*words: bytes) -> bytes:
    """One command as the engine logs it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


VALUES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\r\n", b"a\r\n\r\nb", b"*1\r\n", b"$3\r\n", b"x\0\0\0", b"line\r\n"]),
)
COMMANDS = st.builds(
    lambda key, value: resp(b"SET", key, value, b"PXAT", b"1795459928000"),
    st.binary(min_size=1, max_size=9),
    VALUES,
)
TRANSACTIONS = st.lists(COMMANDS, min_size=1, max_size=4).map(
    lambda commands: resp(*MULTI) + b"".join(commands) + resp(*EXEC)
)
STREAMS = st.lists(st.one_of(COMMANDS, TRANSACTIONS), min_size=1, max_size=6)


def cuts(stream: bytes) -> range:
    """Every length that a torn copy of the stream can have."""
    return range(len(stream) + 1)


@given(units=STREAMS, padding=st.integers(0, 3))
def test_every_cut_goes_back_to_the_last_whole_unit(units: list[bytes], padding: int) -> None:
    """Wherever a file is torn, padded or not, all whole commands and transactions stay."""
    stream = b"".join(units)
    ends = [0, *accumulate(map(len, units))]
    for cut in cuts(stream):
        good = guard.good_until(stream[:cut] + b"\0" * padding)
        assert good == max(end for end in ends if end <= cut)


@given(units=STREAMS, data=st.data())
def test_a_changed_byte_never_costs_more_than_the_last_unit(
    units: list[bytes], data: st.DataObject
) -> None:
    """One changed byte is refused, or harmless to the form, or in the unit that is cut.

    Left out: the word EXEC, whose loss the engine reports as an unknown command.
    """
    stream = b"".join(units)
    at = data.draw(st.integers(0, len(stream) - 1))
    changed = stream[:at] + data.draw(st.binary(min_size=1, max_size=1)) + stream[at + 1 :]
    if changed.count(b"EXEC") != stream.count(b"EXEC"):
        return
    try:
        good = guard.good_until(changed)
    except guard.DamagedError:
        return
    assert good >= len(stream) - len(units[-1])


LAST = resp(b"SET", b"b", b"2")


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(resp(b"SET", b"a", b"1").replace(b"*3", b"*4") + LAST, id="count too high"),
        pytest.param(resp(b"SET", b"a", b"1").replace(b"*3", b"*2") + LAST, id="count too low"),
        pytest.param(resp(b"SET", b"a", b"1").replace(b"*", b"+") + LAST, id="not a command"),
        pytest.param(resp(b"SET", b"a", b"11").replace(b"$2", b"$1") + LAST, id="length too low"),
        pytest.param(resp(b"SET", b"a", b"1") + b"\0" * 9 + LAST, id="hole between commands"),
        pytest.param(resp(*MULTI) + LAST + resp(*MULTI) + LAST, id="MULTI within MULTI"),
        pytest.param(LAST + resp(*EXEC) + LAST, id="EXEC without MULTI"),
        pytest.param(resp(b"SET", b"a", b"1") + b"{json}", id="foreign text at the end"),
    ],
)
def test_damage_is_refused(damaged: bytes) -> None:
    """What no torn write leaves is named as damage, with its offset."""
    with pytest.raises(guard.DamagedError, match=r"at byte \d+$"):
        guard.good_until(damaged)


@pytest.mark.parametrize("name", [b"$3\r\nSET", b"$1\r\na", b"$1\r\n1"])
def test_a_length_that_swallows_acknowledged_commands_is_damage(name: bytes) -> None:
    """A value that seems unfinished, but holds the commands after it, is not cut."""
    stream = resp(b"SET", b"a", b"1")
    swallowing = stream.replace(name, b"$900" + name[2:]) + LAST + resp(b"DEL", b"a")
    with pytest.raises(guard.DamagedError, match="a length that covers what follows"):
        guard.good_until(swallowing)


def test_an_attackers_lookalike_costs_linear_time() -> None:
    """A torn value full of line ends and would-be commands is read in one go."""
    value = b"\r\n*2\r\n$1\r\na" * 20_000
    stream = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9999999\r\n" + value
    assert guard.good_until(LAST + stream) == len(LAST)


def aof_dir(tmp_path: Path, content: bytes) -> Path:
    """A multi-part AOF whose last increment has this content; returns that file."""
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.2.base.rdb seq 2 type b\n"
        "file appendonly.aof.8.incr.aof seq 8 type h\n"
        "file appendonly.aof.9.incr.aof seq 9 type i\n"
        "file appendonly.aof.10.incr.aof seq 10 type i\n"
    )
    file = folder / "appendonly.aof.10.incr.aof"
    file.write_bytes(content)
    return file


def test_mend_keeps_what_it_cuts(tmp_path: Path) -> None:
    """The last increment is cut; the tail lies in torn/ under a name that has the offset."""
    file = aof_dir(tmp_path, LAST + LAST[:-3])
    repair = guard.mend(tmp_path, refusal=TORN)
    assert (repair.file, repair.offset, repair.size) == (file, len(LAST), len(LAST) - 3)
    assert file.read_bytes() == LAST
    assert repair.kept.read_bytes() == LAST[:-3]
    assert repair.kept.name.endswith(f"Z-{file.name}@{len(LAST)}")
    assert repair.kept.parent.stat().st_mode & 0o777 == 0o700


def test_mend_knows_the_single_file_of_redis_6(tmp_path: Path) -> None:
    """Without a manifest the one appendonly.aof is read."""
    file = tmp_path / "appendonly.aof"
    file.write_bytes(LAST + b"*1\r\n$5\r\nMULTI\r\n")
    assert guard.mend(tmp_path, refusal=TORN).offset == len(LAST)
    assert file.read_bytes() == LAST


@pytest.mark.parametrize(
    ("content", "refusal", "says"),
    [
        (LAST[:-1], "7:M 01 Jan 2026 00:00:00.000 # No space left", "start: No space left"),
        (LAST + resp(b"EXEB"), "unknown command 'EXEB'", "unknown command 'EXEB'"),
        (LAST, TORN, "10.incr.aof, the last file, is whole"),
        (b"", TORN, "10.incr.aof, the last file, is whole"),
        (LAST[1:] + LAST, TORN, "damaged before its end: no command at byte 0"),
        (LAST, "", "it said nothing"),
    ],
)
def test_mend_leaves_everything_else_alone(
    tmp_path: Path, content: bytes, refusal: str, says: str
) -> None:
    """Any other reason not to start is passed on in one line, and no byte changes."""
    file = aof_dir(tmp_path, content)
    with pytest.raises(ConfigError, match="Nothing was cut or deleted") as caught:
        guard.mend(tmp_path, refusal=refusal)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == content
    assert not (tmp_path / "torn").exists()

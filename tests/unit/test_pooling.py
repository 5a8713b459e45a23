"""What pooling refuses: a site twice, and files that are not whole."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from outcomes.core.errors import RecordsError, UsageError
from outcomes.simulate import write_records
from outcomes.workflow.demo import demo_study
from outcomes.workflow.pooling import _read, pool_moments, write_moments

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    records = write_records(folder / "records", episodes=600, seed=3)
    study = demo_study(records)
    words = '[records]\npath = "records"\n[exposure]\nreference = "usual_care"\n'
    words += (
        'primary = "exercise"\nmin_group = 10\n[primary]\noutcome = "pain"\nvisit = "week_12"\n'
    )
    (folder / "study.toml").write_text(f'schema = 1\nid = "{study.id}"\n{words}')
    return write_moments(folder, out=folder / "site.moments")


def test_a_site_that_is_named_twice_is_refused(moments: Path, tmp_path: Path) -> None:
    copy = shutil.copy(moments, tmp_path / "copy.moments")
    for second in (moments, Path(copy)):
        with pytest.raises(UsageError, match="count twice"):
            pool_moments([moments, second], out=tmp_path / "pooled")
    assert not (tmp_path / "pooled").exists()


def rewritten(moments: Path, folder: Path, member: str, content: bytes) -> Path:
    """Copy a file of moments with another content in one member."""
    damaged = folder / "damaged.moments"
    with zipfile.ZipFile(moments) as whole, zipfile.ZipFile(damaged, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, content if name == member else whole.read(name))
    return damaged


def member(moments: Path, name: str) -> bytes:
    with zipfile.ZipFile(moments) as archive:
        return archive.read(name)


NOT_WHOLE = r"damaged\.moments is not a whole file"
KINDS = [None, 0, 10**40, "nothing of the kind", [[1, "a"]], {"a": 1}]


@pytest.mark.parametrize("key", ["spec", "exposures", "columns", "sums", "patients", "episodes"])
@pytest.mark.parametrize("value", KINDS, ids=lambda value: type(value).__name__)
def test_a_description_of_another_kind_is_named(
    key: str, value: object, moments: Path, tmp_path: Path
) -> None:
    about = {**json.loads(member(moments, "pain.json")), key: value}
    damaged = rewritten(moments, tmp_path, "pain.json", json.dumps(about).encode())
    assert set(_read(moments))
    with pytest.raises(UsageError, match=NOT_WHOLE):
        pool_moments([damaged], out=tmp_path / "pooled")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000, b"[]", b"{}", b"null"])
@pytest.mark.parametrize("name", ["manifest.json", "pain.json"])
def test_a_member_of_another_kind_is_named(
    name: str, content: bytes, moments: Path, tmp_path: Path
) -> None:
    damaged = rewritten(moments, tmp_path, name, content)
    with pytest.raises((UsageError, RecordsError), match=r"damaged\.moments"):
        _read(damaged)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-1], "are damaged: their checksum"),
        (lambda data: data.replace(b'"version": 1', b'"version": 9', 1), "are of version 9"),
        (lambda data: data.replace(b'"visits"', b'"visitz"', 1), "is not a whole file"),
    ],
)
def test_damaged_sums_are_named(
    change: Callable[[bytes], bytes], said: str, moments: Path, tmp_path: Path
) -> None:
    damaged = rewritten(moments, tmp_path, "pain.moments", change(member(moments, "pain.moments")))
    with pytest.raises(UsageError, match=rf"damaged\.moments.*{said}"):
        _read(damaged)


def test_no_change_of_bytes_ends_otherwise_than_in_a_refusal(moments: Path, tmp_path: Path) -> None:
    data, chance = moments.read_bytes(), random.Random(7)
    directory = data.rindex(b"manifest.json") - 46
    damaged = tmp_path / "damaged.moments"
    whole = 0
    for place in range(directory, len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        damaged.write_bytes(changed if place % 2 else changed[: chance.randrange(place)])
        try:
            _read(damaged)
        except (UsageError, RecordsError) as error:
            assert "damaged.moments" in str(error)  # noqa: PT017 - not every change does damage
        else:
            whole += 1
    assert 0 < whole < (len(data) - directory) / 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.moments is not a whole file"):
        pool_moments([tmp_path / "absent.moments"], out=tmp_path / "pooled")

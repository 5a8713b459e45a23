"""What pooling refuses: a site twice, and files that are not whole."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from outcomes.core.errors import UsageError
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


@pytest.mark.parametrize("key", ["spec", "exposures", "columns", "sums", "patients", "episodes"])
def test_a_file_that_is_not_whole_is_named(key: str, moments: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.moments"
    with zipfile.ZipFile(moments) as whole, zipfile.ZipFile(damaged, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "pain.json":
                about = json.loads(content)
                about[key] = "nothing of the kind"
                content = json.dumps(about).encode()
            archive.writestr(name, content)
    assert set(_read(moments))
    with pytest.raises(UsageError, match=r"damaged\.moments is not a whole file"):
        pool_moments([damaged], out=tmp_path / "pooled")

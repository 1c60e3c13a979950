"""The wheel: what is in it, and that nothing else is. `make smoke` installs and starts it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("syncd", "connectors", "docs", "pyproject.toml", "README.md", "LICENSE")
PAGES = ("docs/keys.md", "docs/reference/errors.md")  # which commands name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, so that nothing stale gets in and nothing is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(source / "out"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next((source / "out").glob("*.whl")))


def test_everything_that_is_needed_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name and ".data/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in ("syncd", "connectors")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".md", ".pyc"}
    }
    assert wanted - packed == set()
    assert {name.split("/")[0] for name in packed} == {"syncd", "connectors"}


def test_the_pages_that_commands_name_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    packed = {name.partition(".data/data/share/doc/syncd/")[2]: name for name in wheel.namelist() if ".data/" in name}
    assert packed.keys() == {Path(page).name for page in PAGES}
    assert all(wheel.read(packed[Path(page).name]) == (ROOT / page).read_bytes() for page in PAGES)


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    about = wheel.read(f"{folder}/METADATA").decode()
    assert "\nName: syncd\n" in about
    assert "\nLicense-Expression: Apache-2.0\n" in about
    assert "\nRequires-Python: >=3.11\n" in about
    assert "syncd = syncd.cli:main" in wheel.read(f"{folder}/entry_points.txt").decode()
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()

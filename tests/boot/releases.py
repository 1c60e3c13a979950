"""Releases beside the one in dist/: the same program under the next version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_WANTED = {"syncd", "connectors", "docs", "pyproject.toml", "README.md", "LICENSE"}


def newer_release(folder: Path) -> Path:
    """The release in dist/ under the next version, unpacked, as if it had been made from a newer checkout."""
    (archive,) = (ROOT / "dist").glob("syncd-*.tar.gz")
    old = archive.name.removeprefix("syncd-").removesuffix(".tar.gz")
    made = folder / f"syncd-{old}.post1"
    shutil.copytree(ROOT / "dist" / f"syncd-{old}", made)
    next(made.glob("*.whl")).unlink()
    _build_wheel(folder / "newer", old, f"{old}.post1", made)
    return made


def _build_wheel(source: Path, old: str, new: str, target: Path) -> None:
    shutil.copytree(ROOT, source, ignore=lambda at, names: {*names} - _WANTED if Path(at) == ROOT else set())
    init = source / "syncd" / "__init__.py"
    init.write_text(init.read_text().replace(f'"{old}"', f'"{new}"'))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(source)


def debian_package(release: Path, folder: Path) -> Path:
    """The package of an unpacked release."""
    command = ["scripts/deb", str(release), str(folder)]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Path(told.strip())

"""The Dockerfile, followed line by line in the container of `make boot`: no image can be fetched there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from .container import HOME, Container
from .releases import ROOT

UNIT = "image"
WHEELS = f"{HOME}/wheels"


class Line(NamedTuple):
    """An instruction and what follows it."""

    word: str
    rest: str


def lines() -> list[Line]:
    """Each instruction, with its continuation lines."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()).replace("\\\n", " ")
    return [Line(*line.split(None, 1)) for line in text.splitlines() if line.strip()]


class Image:
    """Made by the instructions that change files; the last stage's others say how it is run."""

    def __init__(self, host: Container) -> None:
        self._host = host
        self.told: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._arguments: dict[str, str] = {}

    def build(self) -> None:
        """Follow the instructions; packages come from this machine's wheels."""
        shutil.copytree(ROOT / ".cache" / "wheels", self._host.root / WHEELS.lstrip("/"))
        self._host.run("ln -s /usr/bin/python3 /usr/local/bin/python")
        for word, rest in lines():
            self._follow(word, rest)

    def _follow(self, word: str, rest: str) -> None:
        for name, value in self._arguments.items():
            rest = rest.replace(f"${{{name}}}", value)
        if word == "FROM":
            self.told, self._environment, self._arguments = {}, {}, {}
        elif word == "ARG":
            name, _, default = rest.partition("=")
            self._arguments[name] = default
        elif word == "ENV":
            self._environment |= dict(one.split("=", 1) for one in shlex.split(rest))
        elif word == "COPY":
            self._copy(shlex.split(rest))
        elif word == "RUN":
            given = {**self._environment, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
            place = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
            self._host.run(f"cd {self.told['WORKDIR']} && env {place} sh -c {shlex.quote(rest)}")
        else:
            self.told[word] = rest
            if word == "WORKDIR":
                self._host.run(f"mkdir -p {rest}")

    def _copy(self, words: list[str]) -> None:
        options = dict(one.removeprefix("--").split("=", 1) for one in words if one.startswith("--"))
        *sources, target = [one for one in words if not one.startswith("--")]
        if "from" in options:
            (source,) = sources
            self._host.run(f"[ {source} = {target} ] || cp -a {source} {target}")
        for source in sources if "from" not in options else []:
            place = self._host.root / self.told["WORKDIR"].lstrip("/") / target
            place = place / Path(source).name if target.endswith("/") else place
            place.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
        if "chown" in options:
            self._host.run(f"chown -R {options['chown']} {target}")

    def start(self) -> None:
        """As its user, on a read-only root, without any right. systemd wants a name for the user."""
        user, group = self.told["USER"].split(":")
        self._host.run(f"groupadd --gid {group} image && useradd --uid {user} --gid {group} --no-create-home image")
        properties = {
            "User": user,
            "Group": group,
            "WorkingDirectory": self.told["WORKDIR"],
            "ProtectSystem": "strict",
            "ReadWritePaths": self.told["VOLUME"],
            "NoNewPrivileges": "yes",
            "CapabilityBoundingSet": "",
            "KillSignal": self.told["STOPSIGNAL"],
        }
        options = [f"--property={name}={value}" for name, value in properties.items()]
        options += [f"--setenv={name}={value}" for name, value in self._environment.items()]
        command = json.loads(self.told["ENTRYPOINT"]) + json.loads(self.told["CMD"])
        self._host.run(shlex.join(["systemd-run", f"--unit={UNIT}", *options, *command]))

    def healthy(self) -> bool:
        """What the health check says."""
        command = shlex.join(json.loads(self.told["HEALTHCHECK"].partition("CMD ")[2]))
        path = self._environment["PATH"]
        return self._host.run(f"env PATH={path} {command}", check=False).returncode == 0

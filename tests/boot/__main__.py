"""`make boot`: from a bare Debian to a running service by deploy/README.md alone, and what becomes of it then.

Exit 0 when all is as it should be, or, with a word, where this machine can't run a container.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .commands import CALLS
from .container import HOME, CanNot, Container, missing
from .image import UNIT, Image
from .readme import configuration, sections, why_not_run
from .releases import ROOT, debian_package, newer_release

KEYS = {"hubspot-token": ("hubspot", "access_token"), "zeliq-key": ("zeliq", "api_key")}
LEDGER = "/var/lib/syncd/ledger.db"
CERTIFICATE = """set -e
folder=/etc/letsencrypt/live/enrich.example.com own=/usr/local/share/ca-certificates/nginx.crt
mkdir -p $folder
openssl req -x509 -days 9 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=enrich.example.com \
    -addext subjectAltName=DNS:enrich.example.com -keyout $folder/privkey.pem -out $folder/fullchain.pem
cp $folder/fullchain.pem $own
update-ca-certificates"""  # as certbot would put it there
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"  # what the container trusts, for the emulated vendors, too


def say(text: str) -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Boot:
    """The steps. Each method is one, and says by its name what holds then."""

    def __init__(self, host: Container) -> None:
        self.host = host
        self.readme = sections()
        self.typed: list[str] = []  # commands of the page, in the order in which they were run
        self.settings: dict[str, Any] = {}
        self.newer = Path()

    def follow(self, heading: str, given: Callable[[str], str] = lambda _: "") -> None:
        """Every command of a section of the page; `given`: what is pasted into one."""
        for command in self.readme[heading]:
            self.type(command, given(command))

    def type(self, command: str, given: str = "") -> None:
        """A command of the page."""
        self.typed.append(command)
        why = why_not_run(command)
        say(f"    # {command}" + (f"\n      not run: {why}" if why else ""))
        if not why:
            self.host.run(command, given=given)

    def status_line(self) -> str:
        return self.host.show("StatusText")["StatusText"]

    def works(self) -> None:
        """It is ready, and by its own word it works."""
        self.host.wait_for("the service", lambda: self.host.show("ActiveState")["ActiveState"] == "active")
        self.host.wait_for("its word", lambda: self.status_line().startswith("Working"))

    def pid(self) -> int:
        return int(self.host.show("MainPID")["MainPID"])

    # --- the page, in order ---------------------------------------------------------------------

    def install(self) -> None:
        for archive in (ROOT / "dist").glob("syncd-*.tar.gz"):
            shutil.copy(archive, self.host.home)
        self.follow("Install")
        assert self.host.run("syncd --version").stdout.startswith("syncd ")
        vendors = f"syncd sandbox --contacts=60 --speed=60 --json --write-config={HOME}/vendors.yaml"
        self.host.run(f"systemd-run --unit=vendors --setenv=HOME={HOME} --setenv=SSL_CERT_FILE={TRUSTED} {vendors}")
        self.host.run("systemd-run --unit=hook caddy respond --listen 127.0.0.1:8099")
        self.host.wait_for("the vendors", (self.host.home / "vendors.yaml").exists)

    def configure(self) -> None:
        """The page's configuration as it stands, but for the addresses of the vendors and what only a trial needs."""
        vendors = yaml.safe_load((self.host.home / "vendors.yaml").read_text())
        pasted = {name: vendors["connections"][one][option] for name, (one, option) in KEYS.items()}
        self.follow("Configure", lambda line: next((k + "\n" for n, k in pasted.items() if n in line), ""))
        told = yaml.safe_load(configuration())
        for name, connection in told["connections"].items():
            connection["base_url"] = vendors["connections"][name]["base_url"]
        told["ledger"]["reserve"] = "1MB"
        told["rehearsal"] = vendors["rehearsal"]
        told["alerts"] = [{"to": "json://127.0.0.1:8099/hook"}]
        self.settings = told
        self.write(told)

    def write(self, settings: dict[str, Any] | str) -> None:
        """Another configuration."""
        text = settings if isinstance(settings, str) else yaml.safe_dump(settings, sort_keys=False)
        file = self.host.root / "etc/syncd/config.yaml"
        file.parent.mkdir(exist_ok=True)  # a package that was purged has taken it away
        file.write_text(text)

    def let_callbacks_in(self) -> None:
        """The certificate is Caddy's own here, which the host is told to trust: no authority is within reach."""
        caddyfile = Path(self.host.root / self.host.cwd.lstrip("/") / "Caddyfile")
        caddyfile.write_text(caddyfile.read_text().replace("{\n\tservers", "{\n\tlocal_certs\n\tservers", 1))
        self.follow("Let callbacks in")
        authority = "var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
        self.host.wait_for("a certificate", (self.host.root / authority).exists)
        self.host.run(f"cp /{authority} /usr/local/share/ca-certificates/caddy.crt && update-ca-certificates")

    def before_the_start_check_prints_the_line_that_runs_it(self) -> None:
        """S1: the same line with `plan` tells what it would cost; neither leaves anything in the daemon's folder."""
        refused = self.host.run("syncd check -c /etc/syncd/config.yaml", check=False)
        (line,) = re.findall(r"run: (systemd-run .+)", refused.stderr)
        assert refused.returncode == 78, refused
        checked = self.host.run(line, check=False)
        assert "hubspot" in checked.stdout + checked.stderr, checked
        assert "worst" in self.host.run(line.replace(" check ", " plan ")).stdout
        assert not (self.host.root / LEDGER.lstrip("/")).exists()

    def start(self) -> None:
        self.follow("Start")
        self.works()
        self.host.wait_for("callbacks through Caddy", lambda: self.status_line() == "Working.")
        self.host.wait_for("values in the CRM", lambda: self.done() > 0)

    def done(self) -> int:
        told = self.host.run("syncd status --json", check=False).stdout
        jobs = json.loads(told)["jobs"] if told.startswith("{") else []
        return sum(row["n"] for row in jobs if row["reason"] == "written")

    def it_is_shut_in(self) -> None:
        exposure = self.host.run("systemd-analyze security --threshold=11 syncd.service", check=False)
        assert exposure.returncode == 0, exposure.stdout.splitlines()[-1]
        status = self.host.run(f"cat /proc/{self.pid()}/status").stdout
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        modes = self.host.run(f"stat -c %a {LEDGER} /var/lib/private/syncd/ /etc/credstore").stdout.split()
        assert modes == ["600", "700", "700"], modes

    def the_journal_has_priorities_and_its_name(self) -> None:
        lines = self.host.run("journalctl -t syncd -u syncd -o json --no-pager").stdout.splitlines()
        found = [json.loads(line) for line in lines]
        assert {line["PRIORITY"] for line in found} >= {"3", "6"}, {line["PRIORITY"] for line in found}
        assert not any("timestamp" in line["MESSAGE"] or line["MESSAGE"].startswith("<") for line in found)

    def every_command_works_as_root(self) -> None:
        told = self.host.run("syncd contacts reason:written --limit 1 --json").stdout
        contact = json.loads(told)["contacts"][0]["ref"]
        (self.host.home / "leave-alone.csv").write_text("email\nnobody@example.com\n")
        for call in CALLS.values():
            command = f"syncd {call.command.format(contact=contact)}"
            say(f"    # {command}")
            done = self.host.run(command, check=False)
            assert (done.returncode, call.says in done.stdout + done.stderr) == (call.status, True), (command, done)
        self.the_ledger_is_the_daemons()

    def a_second_daemon_is_refused(self) -> None:
        done = self.host.run("syncd run", check=False)
        assert done.returncode == 73, done
        self.works()

    def the_ledger_is_the_daemons(self) -> None:
        owners = self.host.run("stat -c %u /var/lib/private/syncd /var/lib/private/syncd/*").stdout.split()
        assert set(owners) == {self.host.run(f"stat -c %u /proc/{self.pid()}").stdout.strip()}, owners

    # --- reload ---------------------------------------------------------------------------------

    def a_reload_is_applied(self) -> None:
        before = self.pid()
        self.write({**self.settings, "log": {"level": "debug"}})
        self.follow("Change something")
        self.host.wait_for("the reload", lambda: "configuration_applied" in self.host.journal(lines=400))
        self.works()
        assert self.pid() == before

    def a_wrong_file_is_refused_and_all_goes_on(self) -> None:
        before = self.pid()
        self.write({**self.settings, "ledgr": {}})
        self.host.run("systemctl reload syncd")
        self.host.wait_for("the refusal", lambda: "ledgr" in self.status_line())
        assert self.host.show("ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
        assert self.pid() == before
        self.write(self.settings)
        self.host.run("systemctl reload syncd")
        self.works()

    def a_start_with_a_wrong_file_leaves_the_port_open_and_a_mended_one_suffices(self) -> None:
        self.write("a: [")
        self.host.run("systemctl restart syncd", check=False)
        for _ in range(3):
            self.host.run("curl -s -m 2 http://127.0.0.1:8080/healthz", check=False)
        assert self.host.show("ActiveState", unit="syncd.socket") == {"ActiveState": "active"}
        self.host.wait_for("its exit status", lambda: self.host.show("ExecMainStatus") == {"ExecMainStatus": "78"})
        waiting = "curl -s -o /dev/null -w '%{http_code}' -m 60 http://127.0.0.1:8080/healthz"
        self.host.run(f'systemd-run --unit=waiting --property=StandardOutput=file:/run/waiting sh -c "{waiting}"')
        self.write(self.settings)
        self.host.run("systemctl restart syncd")
        self.works()
        self.host.wait_for("who waited", lambda: self.answer() == "200")

    def answer(self) -> str:
        return self.host.run("cat /run/waiting", check=False).stdout

    # --- what goes wrong ------------------------------------------------------------------------

    def killed_it_comes_back(self) -> None:
        before = self.pid()
        self.host.run(f"kill -9 {before}")
        self.host.wait_for("another process", lambda: self.pid() not in (0, before))
        self.works()

    def hung_it_is_restarted_within_half_a_minute(self) -> None:
        before, since = self.pid(), time.monotonic()
        self.host.run(f"kill -STOP {before}")
        self.host.wait_for("another process", lambda: self.pid() not in (0, before), within=45)
        say(f"    restarted after {time.monotonic() - since:.0f} s")
        self.works()
        assert "watchdog" in self.host.journal(lines=200).lower()

    def a_full_disk_is_told_and_survived(self) -> None:
        before = self.pid()
        self.host.run("fallocate -l $(( $(stat -f -c '%a*%S' / | sed 's/*/ * /') )) /var/filler", check=False)
        self.host.run("dd if=/dev/zero of=/var/filler bs=1M oflag=append conv=notrunc", check=False)
        self.host.wait_for("its word", lambda: "free beside the ledger" in self.status_line())
        self.host.run("rm /var/filler")
        self.works()
        assert self.pid() == before

    # --- copies, upgrade --------------------------------------------------------------------------

    def a_copy_is_made_and_restored(self) -> None:
        """S2: as root, for a ledger that belongs to a user who is there only while the daemon is."""
        before = self.done()
        self.follow("Copies, and back again")
        self.works()
        assert self.done() >= before
        self.the_ledger_is_the_daemons()
        self.host.run("syncd thaw --yes")

    def an_upgrade_and_a_rollback(self) -> None:
        old = self.host.run("syncd --version").stdout.strip()
        self.newer = newer_release(self.host.home)
        self.host.run(f"cd {HOME}/{self.newer.name}")
        install, active, rollback = self.readme["Upgrade, and back"]
        self.type(install)
        self.type(active)
        assert self.host.run("syncd --version").stdout.strip() != old
        self.works()
        self.type(rollback)
        assert self.host.run("syncd --version").stdout.strip() == old
        self.works()

    def nginx_takes_the_place_of_caddy(self) -> None:
        """The certificate is one of this machine's own. Where syncd works after a start, its own callback came back."""
        self.host.run("systemctl disable --now caddy")
        self.host.run(CERTIFICATE)
        self.follow("With nginx")
        self.host.run("systemctl restart syncd")
        self.works()
        self.host.wait_for("callbacks through nginx", lambda: self.status_line() == "Working.")
        told = (self.host.root / "var/log/nginx/syncd.log").read_text()
        assert " POST /callbacks/" in told
        assert "?" not in told

    def it_stops_cleanly(self) -> None:
        self.host.run("systemctl stop syncd.socket syncd.service")
        assert self.host.show("Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
        self.host.run("syncd verify")

    # --- the Debian package -----------------------------------------------------------------------

    def the_debian_package_takes_the_place_of_the_script(self) -> None:
        (package,) = (ROOT / "dist").glob("syncd_*.deb")
        shutil.copy(package, self.host.home)
        refused = self.host.run(f"cd {HOME} && apt install -y ./syncd_*.deb", check=False)
        assert "run its './install --remove' first" in refused.stdout + refused.stderr
        self.host.run(f"{HOME}/{self.newer.name}/install --remove")
        install, start, *_ = self.readme["As a Debian package"]
        self.type(install)
        self.type(start)
        self.works()
        assert self.host.run("dpkg --verify syncd").stdout == ""
        for name in ("Caddyfile", "nginx.conf"):
            self.host.run(f"test -s /usr/share/doc/syncd/examples/{name}")
        refused = self.host.run(f"{HOME}/{self.newer.name}/install", check=False)
        assert "the Debian package is installed here" in refused.stderr
        assert self.host.run("readlink -f $(command -v syncd)").stdout == "/opt/syncd/current/bin/syncd\n"
        self.host.run("systemctl cat syncd.service | grep -q hubspot-token && syncd check && syncd verify")

    def an_upgrade_of_the_package_copies_the_ledger_and_goes_on(self) -> None:
        before, old = self.copies(), self.host.run("dpkg-query -W -f '${Version}' syncd").stdout
        package = debian_package(self.newer, self.host.home)
        self.host.run(f"apt install -y ./{package.name}")
        self.works()
        assert self.host.run("dpkg-query -W -f '${Version}' syncd").stdout > old
        assert self.copies() > before
        assert self.host.show("ActiveState", unit="syncd.socket") == {"ActiveState": "active"}

    def an_older_package_goes_back(self) -> None:
        (package,) = (ROOT / "dist").glob("syncd_*.deb")
        self.host.run(f"apt install -y --allow-downgrades ./{package.name}")
        self.works()
        assert self.host.run("dpkg-query -W -f '${Version}' syncd").stdout == package.name.split("_")[1]

    def copies(self) -> int:
        return len(self.host.run("ls /var/lib/syncd-backup").stdout.split())

    def without_the_package_the_data_stays(self) -> None:
        *_, remove, purge = self.readme["As a Debian package"]
        self.type(remove)
        self.host.run(f"test -s {LEDGER} && test -s /etc/syncd/config.yaml && ! command -v syncd")
        assert self.host.show("LoadState") == {"LoadState": "not-found"}
        self.type(purge)
        self.host.run(f"test -s {LEDGER} && test -s /etc/credstore/syncd.zeliq-key && test ! -e /etc/syncd")
        self.host.run("test ! -e /opt/syncd && test ! -e /etc/systemd/system/syncd.service.d/credentials.conf")

    def each_command_of_the_page_was_run_in_its_order(self) -> None:
        assert self.typed == [command for commands in self.readme.values() for command in commands]

    # --- without systemd --------------------------------------------------------------------------

    def the_image_is_built_by_its_file_and_works_as_nobody_on_a_read_only_root(self) -> None:
        self.host.run(f"mv /var/lib/private/syncd {HOME}/kept && rm -f /var/lib/syncd")
        image = Image(self.host)
        image.build()
        self.host.run("install -d /etc/syncd && install -d -o 10001 -m 0500 /run/secrets")
        for name in (*KEYS, "callback-secret"):
            self.host.run(f"install -o 10001 -m 0400 /etc/credstore/syncd.{name} /run/secrets/{name}")
        text = yaml.safe_dump(self.settings, sort_keys=False).replace("127.0.0.1:8080", "0.0.0.0:8080")
        self.write(text.replace("credential: ", "file: /run/secrets/"))
        image.start()
        self.host.wait_for("the health check", image.healthy)
        self.host.run(f"systemctl is-active {UNIT} && test -s {LEDGER}")
        self.host.run(f"systemctl stop {UNIT}")


STEPS: tuple[Callable[[Boot], None], ...] = (
    Boot.install,
    Boot.configure,
    Boot.let_callbacks_in,
    Boot.before_the_start_check_prints_the_line_that_runs_it,
    Boot.start,
    Boot.it_is_shut_in,
    Boot.every_command_works_as_root,
    Boot.a_second_daemon_is_refused,
    Boot.a_reload_is_applied,
    Boot.a_wrong_file_is_refused_and_all_goes_on,
    Boot.a_start_with_a_wrong_file_leaves_the_port_open_and_a_mended_one_suffices,
    Boot.the_journal_has_priorities_and_its_name,
    Boot.killed_it_comes_back,
    Boot.hung_it_is_restarted_within_half_a_minute,
    Boot.a_full_disk_is_told_and_survived,
    Boot.a_copy_is_made_and_restored,
    Boot.an_upgrade_and_a_rollback,
    Boot.nginx_takes_the_place_of_caddy,
    Boot.it_stops_cleanly,
    Boot.the_debian_package_takes_the_place_of_the_script,
    Boot.an_upgrade_of_the_package_copies_the_ledger_and_goes_on,
    Boot.an_older_package_goes_back,
    Boot.without_the_package_the_data_stays,
    Boot.each_command_of_the_page_was_run_in_its_order,
    Boot.the_image_is_built_by_its_file_and_works_as_nobody_on_a_read_only_root,
)


def main() -> int:
    """All steps, one after the other; the exit status."""
    if why := missing():
        say(f"make boot was skipped: {why}")
        return 0
    failed = 0
    try:
        with Container() as host:
            boot = Boot(host)
            for step in STEPS:
                say(step.__name__.replace("_", " "))
                try:
                    step(boot)
                except (AssertionError, LookupError, ValueError, subprocess.SubprocessError) as error:
                    failed += 1
                    boot.write(boot.settings)
                    told = host.run("syncd status", check=False)
                    say(f"  FAILED: {error}\n{told.stdout}{told.stderr}\n{host.journal('')}")
                    if step in (Boot.install, Boot.configure, Boot.let_callbacks_in, Boot.start):
                        break
    except CanNot as error:
        say(f"make boot was skipped: {error}")
        return 0
    say(f"{failed} of {len(STEPS)} steps failed" if failed else f"all {len(STEPS)} steps are as they should be")
    return 1 if failed else 0


sys.exit(main())

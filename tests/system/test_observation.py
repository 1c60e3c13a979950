"""What is shipped for Prometheus and Grafana fits what a running daemon tells; Prometheus is asked, too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from syncd.observe.metrics import METRICS, documented
from tests.unit.receivers import Collector, collector

from .rig import Daemon, Vendors, ask, free_port, until

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text("utf-8"))
BOARD = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
BUILT_IN = {"job", "instance", "le"}
WORDS = {"sum", "by", "rate", "increase", "delta", "time", "histogram_quantile", "predict_linear", "or"}

_LABELS = re.compile(r"\{([^}]*)\}")
_BY = re.compile(r"by \(([^)]*)\)")


def expressions() -> dict[str, str]:
    """Every query of the rules and of the board, by where it stands."""
    found = {rule["alert"]: rule["expr"] for group in RULES["groups"] for rule in group["rules"]}
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"].replace("$job", "syncd")
    return found


def names_in(query: str) -> set[str]:
    """The metrics of a query."""
    bare = re.sub(r"\[[^\]]*\]", "", _BY.sub("", _LABELS.sub("", query)))
    return {word for word in re.findall(r"[a-z_]{2,}", bare) if word not in WORDS}


class Observed(NamedTuple):
    """A daemon that has worked for a while, what it tells Prometheus, and where its traces go."""

    vendors: Vendors
    daemon: Daemon
    text: str
    traces: Collector


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A daemon that has worked for a while, and what it tells Prometheus."""
    folder = tmp_path_factory.mktemp("observed")
    with ExitStack() as stack:
        vendors = stack.enter_context(Vendors(folder, seed=2))
        there = stack.enter_context(collector())
        traces = {"endpoint": f"http://127.0.0.1:{there.port}/v1/traces"}
        vendors.configure(connections={"zeliq": {"floor": 5}}, traces=traces)
        daemon = stack.enter_context(Daemon(vendors))
        daemon.wait_for("values", lambda: ask(vendors.ledger, "SELECT count(*) FROM write") > 3)
        yield Observed(vendors, daemon, daemon.api("/metrics").raise_for_status().text, there)


def test_every_query_is_about_metrics_that_there_are_and_labels_that_they_have(
    scraped: Observed,
) -> None:
    labels = {metric.name: {*metric.labels} for metric in METRICS}
    labels |= {f"{m.name}_bucket": {*m.labels, "le"} for m in METRICS if m.type == "histogram"}
    told = {sample.name for family in text_string_to_metric_families(scraped.text) for sample in family.samples}
    for where, query in expressions().items():
        names = names_in(query)
        assert names, where
        for name in names - {"up"}:
            assert name in labels or (name.startswith("process_") and name in told), (where, name)
        asked = {
            part.split("=")[0].strip(" !~") for group in _LABELS.findall(query) for part in group.split(",") if part
        }
        asked |= {part.strip() for group in _BY.findall(query) for part in group.split(",")}
        known = set().union(*(labels.get(name, set()) for name in names)) | BUILT_IN
        assert asked <= known, (where, asked - known)


def test_what_is_told_is_what_is_documented(scraped: Observed) -> None:
    families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
    assert [name for name, one in families.items() if not one.documentation or one.type in ("unknown", "untyped")] == []
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.type, metric.help)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == {*metric.labels}
    there = {name for name, one in families.items() if one.samples}
    assert {"syncd_outside_call_seconds", "syncd_limit_left_calls", "syncd_callback_timestamp_seconds"} <= there
    assert {"syncd_pull_timestamp_seconds", "syncd_balance_credits", "process_resident_memory_bytes"} <= there


def test_no_label_tells_who_anybody_is(scraped: Observed) -> None:
    vendors, text = scraped.vendors, scraped.text
    assert "@" not in text
    assert not re.search(r'="[^"]*\d{5,}[^"]*"', text.replace("seconds=", ""))
    for one in vendors.get("state")["contacts"][:20]:
        assert f'"{one["id"]}"' not in text


def test_stages_and_their_calls_are_traced(scraped: Observed) -> None:
    def seen() -> bool:
        spans = scraped.traces.spans()
        pulls = {span.span_id for span in spans if span.name == "pull"}
        return any(span.name.startswith("POST /") and span.parent_span_id in pulls for span in spans)

    until("a pull and a call that it made", seen)
    words = {span.name for span in scraped.traces.spans()}
    words |= {one.value.string_value for span in scraped.traces.spans() for one in span.attributes}
    assert [word for word in words if "@" in word or re.search(r"\d{5}", word)] == []


def test_the_page_of_metrics_is_up_to_date() -> None:
    page = (DEPLOY.parent / "docs" / "metrics.md").read_text("utf-8")
    assert documented() in page, "copy what syncd.observe.metrics.documented() returns into docs/metrics.md"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus")
def test_promtool_takes_the_rules_and_the_metrics(scraped: Observed) -> None:
    rules = subprocess.run(
        ["promtool", "check", "rules", str(DEPLOY / "prometheus-rules.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rules.returncode == 0, rules.stderr
    ours = "\n".join(line for line in scraped.text.splitlines() if "syncd_" in line) + "\n"
    metrics = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, text=True, check=False)
    assert metrics.returncode == 0, metrics.stdout + metrics.stderr


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus, of Debian's package of that name")
def test_prometheus_scrapes_it_and_answers_every_query(scraped: Observed, tmp_path: Path) -> None:
    """Six seconds: Prometheus has to have scraped twice for a rate."""
    vendors = scraped.vendors
    port = free_port()
    setup = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOY / "prometheus-rules.yaml")],
        "scrape_configs": [
            {"job_name": "syncd", "static_configs": [{"targets": [f"127.0.0.1:{vendors.admin}"]}]},
        ],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(setup), "utf-8")
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command)
    try:

        def query(text: str) -> list[Any]:
            url = f"http://127.0.0.1:{port}/api/v1/query"
            try:
                answer = httpx.get(url, params={"query": text}, timeout=10, trust_env=False)
            except httpx.ConnectError:
                return []
            if answer.status_code == 503:  # it is starting
                return []
            assert answer.status_code == 200, (text, answer.text)
            return list(answer.json()["data"]["result"])

        until("two scrapes", lambda: query("count_over_time(syncd_ready[1m]) > 2"))
        assert query('up{job="syncd"}')[0]["value"][1] == "1"
        empty = [where for where, text in expressions().items() if not query(text)]
        rules = httpx.get(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10, trust_env=False).json()["data"]["groups"]
        assert [rule["lastError"] for group in rules for rule in group["rules"] if rule.get("lastError")] == []
        shown = {panel["title"] for panel in BOARD["panels"]} - {one.rpartition(" ")[0] for one in empty}
        assert {"Version", "Balances", "Limits: part that is left", "Calls to vendors a minute"} <= shown
    finally:
        process.terminate()
        process.wait(30)

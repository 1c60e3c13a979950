"""The configuration: what it becomes, and every way in which it can be wrong."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config import Address, Budget, CronLine, InDoubtPolicy, Port, Settings, WhenUnavailable, json_schema, load
from syncd.config.scalars import address, safe_url, seconds
from syncd.contract.errors import ConfigError
from syncd.contract.model import Field, FieldMap, Grade
from syncd.registry import Registry

REGISTRY = Registry("tests.unit.sample_connectors", [])
SIGNING = "s" * 32
ENVIRON = {"SIGN": SIGNING, "BOX": "box-canary-1", "OWL": "owl-canary-1"}
NO_DURATION = "is no duration; write a number with its unit, such as 90s, 15m, 2h30m, 30d"
GOOD = """\
ledger: { path: ledger.db, keep: { raw: 2w } }
callbacks:
  listen: "[::1]:9000"
  public_url: https://enrich.example.com/
  secrets: ["${SIGN}"]
connections:
  box: { connector: cards, access_token: "${BOX}", base_url: "http://127.0.0.1:1/x/" }
  owl: { connector: owl, api_key: "${OWL}", in_doubt: { policy: resend_once, hold: 1d12h } }
  pigeon: { connector: pigeon }
syncs:
  - name: people
    crm: box
    object: people
    schedule: "*/15 * * * 1-5"
    match: { owner: ["$NOT_REPLACED"] }
    fields:
      email: { providers: [pigeon, owl], accept: [valid, probable] }
      phone: { property: mobile, providers: [owl] }
    budget: { credits_per_day: 500 }
    when_unavailable: next
"""


def read(tmp_path: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> Settings:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ, registry=REGISTRY)


def problems(tmp_path: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, environ)
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


# --- what it becomes ------------------------------------------------------------------------------


def test_a_whole_file_becomes_settings(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.ledger.path == tmp_path / "ledger.db"
    assert (settings.ledger.keep.raw, settings.ledger.keep.jobs) == (14 * 86400.0, 400 * 86400.0)
    assert settings.callbacks
    assert settings.callbacks.listen == Address("::1", 9000)
    assert settings.callbacks.public_url == "https://enrich.example.com"
    assert [secret.get_secret_value() for secret in settings.callbacks.secrets] == [SIGNING]
    assert settings.admin.listen == Address("127.0.0.1", 8081)
    assert settings.rehearsal is None
    assert settings.warnings == ()


def test_a_connection_knows_its_port_and_its_own_options(tmp_path: Path) -> None:
    connections = read(tmp_path, GOOD).connections
    box, owl = connections["box"], connections["owl"]
    assert (box.name, box.connector, box.port) == ("box", "cards", Port.CRM)
    assert box.base_url == "http://127.0.0.1:1/x"
    assert (box.in_doubt_policy, box.in_doubt_hold) == (InDoubtPolicy.ASK, 48 * 3600.0)
    assert (owl.in_doubt_policy, owl.in_doubt_hold) == (InDoubtPolicy.RESEND_ONCE, 36 * 3600.0)
    options: Any = box.options
    assert (options.access_token.get_secret_value(), options.drawer) == ("box-canary-1", 1)


def test_a_sync_takes_what_it_leaves_out_from_the_crm(tmp_path: Path) -> None:
    (sync,) = read(tmp_path, GOOD).syncs
    email, phone = sync.fields[Field.EMAIL], sync.fields[Field.PHONE]
    assert (email.property, email.also) == ("email", ("work_email",))
    assert email.providers == ("pigeon", "owl")
    assert email.accept == frozenset({Grade.VALID, Grade.PROBABLE})
    # With another property than the usual one, the usual one still counts as having a phone.
    assert (phone.property, phone.also) == ("mobile", ("phone",))
    assert phone.accept == frozenset({Grade.VALID})
    assert (sync.schedule, sync.every, sync.paused) == ("*/15 * * * 1-5", None, False)
    assert sync.retry_not_found == 90 * 86400.0
    assert sync.when_unavailable is WhenUnavailable.NEXT
    assert sync.budget == Budget(credits_per_day=Decimal(500))


def test_a_selection_is_what_the_crm_port_asks_for(tmp_path: Path) -> None:
    (sync,) = read(tmp_path, GOOD).syncs
    assert sync.selection.object == "people"
    assert sync.selection.fields[Field.EMAIL] == FieldMap(property="email", also=("work_email",))
    assert sync.selection.match == {"owner": ["$NOT_REPLACED"]}  # the CRM's own language, left alone


def test_also_can_be_emptied(tmp_path: Path) -> None:
    (sync,) = read(tmp_path, changed("email: { providers", "email: { also: [], providers")).syncs
    assert sync.fields[Field.EMAIL].also == ()


def test_settings_show_no_secret(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert not any(value in repr(settings) for value in ENVIRON.values())
    assert settings.secrets == frozenset(ENVIRON.values())


# --- secrets --------------------------------------------------------------------------------------


def test_secrets_come_from_files_and_credentials(tmp_path: Path) -> None:
    (tmp_path / "owl").write_text("from-file\n")
    (tmp_path / "owl").chmod(0o600)
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "box").write_text("from-credential")
    text = changed('"${OWL}"', "{ file: owl }").replace('"${BOX}"', "{ credential: box }")
    settings = read(tmp_path, text, {"SIGN": SIGNING, "CREDENTIALS_DIRECTORY": str(tmp_path / "creds")})
    owl: Any = settings.connections["owl"].options
    box: Any = settings.connections["box"].options
    assert owl.api_key.get_secret_value() == "from-file"
    assert box.access_token.get_secret_value() == "from-credential"
    assert settings.warnings == ()


def test_a_variable_may_stand_within_a_text(tmp_path: Path) -> None:
    text = changed('"${OWL}"', '"live_${OWL}_${BOX}"')
    owl: Any = read(tmp_path, text).connections["owl"].options
    assert owl.api_key.get_secret_value() == "live_owl-canary-1_box-canary-1"


def test_a_secret_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "owl").write_text("x")
    (tmp_path / "owl").chmod(0o640)
    (warning,) = read(tmp_path, changed('"${OWL}"', "{ file: owl }")).warnings
    assert warning == (
        f"{tmp_path}/c.yaml:8: connections.owl.api_key: {tmp_path}/owl is open to other users; "
        f"run: chmod 600 {tmp_path}/owl"
    )


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"${OWL}"', "clear-canary", "connections.owl.api_key"),
        ('"${OWL}"', '"${OWL}", sting: clear-canary', "connections.owl.sting"),
        ('["${SIGN}"]', '["${SIGN}", clear-canary-clear-canary-clear-canary]', "callbacks.secrets[1]"),
        ("callbacks:\n", "admin: { token: clear-canary }\ncallbacks:\n", "admin.token"),
    ],
)
def test_a_secret_in_clear_text_is_a_warning(tmp_path: Path, old: str, new: str, key: str) -> None:
    (warning,) = read(tmp_path, changed(old, new)).warnings
    assert f": {key}: is a secret in clear text; write" in warning
    assert "canary" not in warning


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ('"${ABSENT}"', "the environment variable ABSENT is not set; set it where syncd is started"),
        ('"${EMPTY}"', "the environment variable EMPTY is empty"),
        ("{ file: absent }", "absent can't be read (No such file or directory)"),
        ("{ file: empty }", "empty is empty; put the secret into it"),
        ("{ file: bytes }", "bytes is not UTF-8 text"),
        ("{ file: long }", "long is larger than 64 KiB"),
        ("{ file: [a] }", "file needs a text; write { file: NAME }"),
        ("{ credential: owl }", "the credential owl can't be seen from here"),
    ],
)
def test_a_reference_that_leads_nowhere_is_one_problem(tmp_path: Path, reference: str, said: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_bytes(b"x" * 70_000)
    (problem,) = problems(tmp_path, changed('"${OWL}"', reference), {**ENVIRON, "EMPTY": ""})
    assert problem.startswith("c.yaml:8: connections.owl.api_key: ")
    assert said in problem


def test_a_credential_can_t_leave_its_folder(tmp_path: Path) -> None:
    environ = {**ENVIRON, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    (problem,) = problems(tmp_path, changed('"${OWL}"', "{ credential: ../owl }"), environ)
    assert "has no slash and no leading dot" in problem


def test_no_problem_ever_repeats_a_secret(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("hoot-canary-3")
    environ = {**ENVIRON, "OWL": "hoot-canary-1", "SIGN": "short-canary-2"}
    text = GOOD + "  - { name: x, crm: '${OWL}', object: people, every: 1h, fields: {} }\n"
    text = text.replace("pigeon }", "pigeon, pass: { file: f } }").replace("https://", "https://u:${BOX}@")
    text = text.replace("ledger.db,", "ledger.db, mode: '${OWL}',")
    found = problems(tmp_path, text, environ)
    assert any("*** is no key; copy it again" in problem for problem in found)
    assert len(found) == 7
    assert "canary" not in "".join(found)


# --- what can be wrong ----------------------------------------------------------------------------


def test_every_problem_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = """\
ledgr: { path: x }
ledger:
  path: 5
  keep: { raw: 30, jbos: 400d }
callbacks: { public_url: http://enrich.example.com, secrets: [short] }
admin: { listen: 0.0.0.0:8081 }
log: { format: xml }
connections:
  Box: { connector: crads }
  box: { connector: cards, acess_token: x }
  owl: { connector: owl, api_key: "${OWL}", plan: dusk, bse_url: y, in_doubt: { hold: long } }
  pigeon: { connector: pigeon }
syncs:
  - name: one
    crm: bx
    object: people
    schedule: "* * * *"
    fields: { email: { providers: [] } }
  - name: two
    crm: owl
    object: people
    every: 15m
    schedule: "@daily"
    fields: { emial: { providers: [owl] } }
  - name: three
    crm: box
    object: people
    every: 0
    fields: { phone: { providers: [pigeon, pigeon, box, howl] } }
  - name: three
    crm: box
    object: peple
    fields: { email: { providers: [owl], accept: [good] } }
"""
    assert problems(tmp_path, text) == [
        "c.yaml:1: ledgr: unknown key; did you mean 'ledger'?",
        "c.yaml:3: ledger.path: must be a path",
        f"c.yaml:4: ledger.keep.raw: {NO_DURATION}",
        "c.yaml:4: ledger.keep.jbos: unknown key; did you mean 'jobs'?",
        "c.yaml:5: callbacks.public_url: must be https; http would send secrets and personal data in the clear",
        "c.yaml:5: callbacks.secrets[0]: needs at least 32 characters",
        "c.yaml:6: admin.listen: is open to other machines without a token; listen on 127.0.0.1 or set admin.token",
        "c.yaml:7: log.format: must be 'auto', 'json' or 'console'",
        "c.yaml:9: connections.Box: is no name; use small letters, digits, - and _, at most 63",
        "c.yaml:9: connections.Box.connector: no connector is called 'crads'; did you mean 'cards'?",
        "c.yaml:10: connections.box.access_token: is missing; add it",
        "c.yaml:10: connections.box.acess_token: unknown key; did you mean 'access_token'?",
        f"c.yaml:11: connections.owl.in_doubt.hold: {NO_DURATION}",
        "c.yaml:11: connections.owl.plan: must be 'day' or 'night'",
        "c.yaml:11: connections.owl.bse_url: unknown key; did you mean 'base_url'?",
        "c.yaml:15: syncs[0].crm: no connection is called 'bx'; did you mean 'box'?",
        'c.yaml:17: syncs[0].schedule: is no cron line; write five parts, such as "*/15 * * * *"',
        "c.yaml:18: syncs[0].fields.email.providers: needs at least 1",
        'c.yaml:19: syncs[1]: say when, once: either schedule: "*/15 * * * *" or every: 15m',
        "c.yaml:20: syncs[1].crm: 'owl' is a provider, not a crm; choose one of: box",
        "c.yaml:24: syncs[1].fields.emial: must be 'email' or 'phone'",
        "c.yaml:28: syncs[2].every: must be greater than or equal to 1",
        "c.yaml:29: syncs[2].fields.phone.providers[0]: pigeon can't find a phone; remove it here",
        "c.yaml:29: syncs[2].fields.phone.providers[1]: pigeon can't find a phone; remove it here",
        "c.yaml:29: syncs[2].fields.phone.providers[1]: is named twice; a provider is asked once",
        "c.yaml:29: syncs[2].fields.phone.providers[2]: 'box' is a crm, not a provider; choose one of: owl, pigeon",
        "c.yaml:29: syncs[2].fields.phone.providers[3]: no connection is called 'howl'; did you mean 'owl'?",
        'c.yaml:30: syncs[3]: say when, once: either schedule: "*/15 * * * *" or every: 15m',
        "c.yaml:32: syncs[3].object: cards has no such object; did you mean 'people'?",
        "c.yaml:33: syncs[3].fields.email.accept[0]: must be 'valid', 'probable', 'catch_all', 'unknown' or 'invalid'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("object: people", "object: poeple", "13: syncs[0].object: cards has no such object; did you mean 'people'?"),
        ("crm: box", "crm: bax", "12: syncs[0].crm: no connection is called 'bax'; did you mean 'box'?"),
        ('    schedule: "*/15 * * * 1-5"\n', "", "11: syncs[0]: say when, once"),
        ("listen: ", "listen: 127.0.0.1:8081 # ", "1: admin.listen: is the address of callbacks.listen"),
        ('["${SIGN}"]', "[]", "5: callbacks.secrets: needs at least 1"),
        ("{ policy: resend_once, hold: 1d12h }", "twice", "8: connections.owl.in_doubt: must be a mapping"),
        ("500", "-1", "19: syncs[0].budget.credits_per_day: must be greater than or equal to 0"),
        ("owl: { connector: owl,", "owl: {", "8: connections.owl.connector: is missing; add it"),
        ("name: people", "name: 5", "11: syncs[0].name: must be text; put it in quotes"),
    ],
)
def test_one_thing_wrong_is_one_problem(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems(tmp_path, changed(old, new))
    assert len(found) == 1, found
    assert found[0].startswith(f"c.yaml:{said}")


def test_two_syncs_can_t_share_a_name(tmp_path: Path) -> None:
    both = "{ email: { providers: [owl] }, phone: { property: mobile, providers: [owl] } }"
    text = GOOD + f"  - {{ name: people, crm: box, object: people, every: 1h, fields: {both} }}\n"
    (problem,) = problems(tmp_path, text)
    assert problem == "c.yaml:21: syncs[1].name: is taken by a sync above; choose another"


def test_two_syncs_of_one_object_look_after_the_same_fields(tmp_path: Path) -> None:
    text = GOOD + "  - { name: more, crm: box, object: people, every: 1h, fields: { email: { providers: [owl] } } }\n"
    (problem,) = problems(tmp_path, text)
    assert problem.startswith("c.yaml:21: syncs[1].fields: must be the same as those of people")


def test_l7_two_syncs_of_one_object_write_a_field_to_one_property(tmp_path: Path) -> None:
    fields = "{ email: { providers: [owl] }, phone: { property: landline, providers: [owl] } }"
    text = GOOD + f"  - {{ name: more, crm: box, object: people, every: 1h, fields: {fields} }}\n"
    (problem,) = problems(tmp_path, text)
    assert problem.startswith("c.yaml:21: syncs[1].fields.phone: ")
    assert "'landline'" in problem
    assert "in people, which looks after the same object: name the same properties" in problem


@pytest.mark.parametrize(
    ("refresh", "wrong"),
    [
        ("30d", "`refresh` of email must not be shorter than `found` (90d)"),
        ("90d", ""),
        ("399d", ""),
        ("400d", "`refresh` of email must be at least a day shorter than `ledger.keep.jobs` (400d), after which"),
    ],
)
def test_what_is_verified_again_is_older_than_what_counts_and_kept_until_then(
    tmp_path: Path, refresh: str, wrong: str
) -> None:
    text = changed("    budget: {", f"    ages: {{ found: 90d, refresh: {refresh} }}\n    budget: {{")
    if wrong:
        assert wrong in problems(tmp_path, text)[0]
    else:
        assert read(tmp_path, text).syncs[0].fields[Field.EMAIL].refresh is not None


def test_a_field_without_a_usual_property_needs_one(tmp_path: Path) -> None:
    text = changed("object: people", "object: leads").replace("property: mobile, ", "")
    (problem,) = problems(tmp_path, text)
    assert problem == "c.yaml:18: syncs[0].fields.phone.property: the CRM has no usual property for it; name one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: ledger: is missing; add it, as in config.example.yaml"),
        ("- a\n", "1: must be a mapping of sections; begin from config.example.yaml"),
        ("a: 1\na: 2\n", "2: a: stands here twice; keep one of them"),
        ("a: &x 1\nb: *x\n", "2: anchors (&) and aliases (*) are refused; write the value out"),
        (
            "a: !!python/object:os.system {}\n",
            "1: has a YAML tag (tag:yaml.org,2002:python/object:os.system); remove it",
        ),
        ("a: !mine 1\n", "1: has a YAML tag (!mine); remove it"),
        ("a: [1\nb: 2\n", "2: "),
        ("1: 1\n", "1: the key 1 is not text; put it in quotes"),
        ("? [a]\n: 1\n", "1: the key ? is not text; put it in quotes"),
        ("a: 1\n---\nb: 2\n", "2: but found another document; mend the YAML here"),
        ("a: " + "[" * 30, "1: is nested more than 20 deep"),
        ("a: \x07\n", "1: "),
    ],
)
def test_strict_yaml(tmp_path: Path, text: str, said: str) -> None:
    assert any(problem.startswith(f"c.yaml:{said}") for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_files_that_can_t_be_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for content, said in ((b"a: \xff", "c.yaml:1: is not UTF-8"), (b"#" * (1 << 20) + b"#", "larger than 1 MiB")):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            load(path, {}, registry=REGISTRY)
    with pytest.raises(ConfigError, match="No such file or directory"):
        load(tmp_path / "absent.yaml", {}, registry=REGISTRY)


# --- single values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h30m", 9000),
        ("90d", 7776000),
        ("1.5h", 5400),
        ("1 w", 604800),
        ("250ms", 0.25),
        (0, 0),
    ],
)
def test_durations(text: object, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("raw", ["", "15", 15, "-1m", "m", "1y", "1h x", None, True, False, [], "१५m-"])
def test_what_is_no_duration(raw: object) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(raw)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("smhdw")), min_size=1, max_size=5))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    assert seconds("".join(f"{n}{unit}" for n, unit in parts)) == sum(seconds(f"{n}{unit}") for n, unit in parts)


def test_addresses() -> None:
    assert address("localhost:0") == ("localhost", 0)
    assert str(address("[::1]:80")) == "[::1]:80"
    assert str(address("127.0.0.1:80")) == "127.0.0.1:80"
    for wrong in ("8080", ":8080", "a:99999", "::1:80", 8080, "http://a:1"):
        with pytest.raises(ValueError, match="is no address"):
            address(wrong)


def test_urls() -> None:
    assert safe_url("http://localhost:1/") == "http://localhost:1"
    assert safe_url("http://[::1]:1") == "http://[::1]:1"
    for wrong in (
        "ftp://a.example.com",
        "https://",
        "enrich.example.com",
        "https://a b",
        "https://a:b",
        "http://10.0.0.1",
    ):
        with pytest.raises(ValueError, match=r"web address|must be https"):
            safe_url(wrong)


SUNDAY = datetime(2026, 1, 4, tzinfo=UTC)


def runs(line: str, days: int) -> list[str]:
    cron, at, found = CronLine(line), SUNDAY.timestamp() - 1, list[str]()
    while (at := cron.next_after(at) or 0) < (SUNDAY + timedelta(days=days)).timestamp():
        found.append(f"{datetime.fromtimestamp(at, UTC):%a %H:%M}")
    return found


@pytest.mark.parametrize(
    ("weekday", "days"),
    [
        ("0", "Sun"),
        ("7", "Sun"),
        ("1-5", "Mon Tue Wed Thu Fri"),
        ("5-7", "Sun Fri Sat"),
        ("mon,3", "Mon Wed"),
        ("*/2", "Sun Tue Thu Sat"),
        ("1/2", "Sun Mon Wed Fri"),  # from Monday to 7, which is Sunday
        ("sat", "Sat"),
        ("*", "Sun Mon Tue Wed Thu Fri Sat"),
    ],
)
def test_weekdays_count_as_cron_counts_them(weekday: str, days: str) -> None:
    assert runs(f"0 9 * * {weekday}", 7) == [f"{day} 09:00" for day in days.split()]


def test_cron_lines() -> None:
    assert runs("*/15 8-9 * * *", 1) == [f"Sun 0{h}:{m}" for h in (8, 9) for m in ("00", "15", "30", "45")]
    assert len(runs("@hourly", 1)) == 24
    for wrong in ("", "* * * *", "60 * * * *", "* * * * 5-1", "* * * * 9", "@often", "x * * * *", "* * * * * *"):
        with pytest.raises(ValueError, match=r"is no cron line"):
            CronLine(wrong)


# --- for editors ----------------------------------------------------------------------------------


def test_the_schema_knows_every_section_and_the_options_of_each_kind() -> None:
    schema = json_schema([REGISTRY.kind("owl"), REGISTRY.kind("cards")])
    json.dumps(schema)
    assert {"ledger", "callbacks", "connections", "syncs"} <= schema["properties"].keys()
    connection = schema["$defs"]["ConnectionSection"]
    assert connection["properties"]["connector"] == {"enum": ["cards", "owl"]}
    owl = connection["allOf"][1]["then"]
    assert {"connector", "base_url", "in_doubt", "api_key", "plan"} <= owl["properties"].keys()
    assert owl["additionalProperties"] is False
    assert {"type": "string"} in owl["properties"]["api_key"]["anyOf"]
    assert json_schema()["$defs"]["ConnectionSection"]["additionalProperties"] is True


def test_the_schema_says_of_every_key_what_it_is_for_and_spells_defaults_as_one_would(tmp_path: Path) -> None:
    registry = Registry()
    schema = json_schema([registry.kind(name) for name in registry.names()])
    parts = {"file": schema, **schema["$defs"]}
    parts |= {one["if"]["properties"]["connector"]["const"]: one["then"] for one in parts["ConnectionSection"]["allOf"]}
    bare = [
        f"{n}.{k}"
        for n, part in parts.items()
        for k, v in part.get("properties", {}).items()
        if not v.get("description")
    ]
    assert bare == ["ConnectionSection.connector"]  # the kinds there are
    defaults = {
        n: {k: v["default"] for k, v in part.get("properties", {}).items() if "default" in v}
        for n, part in parts.items()
    }
    assert defaults["Admin"]["listen"] == "127.0.0.1:8081"
    assert defaults["Keep"] == {"raw": "30d", "jobs": "400d", "people": "400d"}
    assert (defaults["Ledger"]["reserve"], defaults["InDoubtRule"]["hold"]) == ("256MiB", "2d")
    assert (defaults["SyncSection"]["write_within"], defaults["SyncSection"]["sweep"]) == ("5m", "1d")
    assert defaults["zeliq"]["plan"] == "starter"


@pytest.mark.parametrize(
    ("extras", "wrong"),
    [
        ("{ linkedin: hs_linkedin_url, job_title: { property: jobtitle } }", ""),
        ("{ linkedin_url: { property: hs_linkedin_url } }", ""),
        ("{ linkedin: a, linkedin_url: b }", "is another name of linkedin"),
        ("{ company: company, job_title: company }", "must be a property of its own"),
        ("{ company: email }", "must be a property of its own"),
        ("{ salary: x }", "unknown key"),
    ],
)
def test_extras_name_properties_of_their_own(tmp_path: Path, extras: str, wrong: str) -> None:
    text = changed("    when_unavailable: next\n", f"    when_unavailable: next\n    extras: {extras}\n")
    if wrong:
        assert any(wrong in one for one in problems(tmp_path, text.replace("phone: { property: mobile,", "phone: {")))
        return
    [sync] = read(tmp_path, text).syncs
    assert sync.extras[Field.LINKEDIN] == sync.selection.extras[Field.LINKEDIN].property == "hs_linkedin_url"


def test_a_checkbox_is_a_property_of_its_own(tmp_path: Path) -> None:
    text = changed("    when_unavailable: next\n", "    when_unavailable: next\n    request: mobile\n")
    assert problems(tmp_path, text) == [
        "c.yaml:21: syncs[0].request: must be a property of its own, a checkbox; name another"
    ]


def test_a_write_policy_is_one_of_four(tmp_path: Path) -> None:
    text = changed("accept: [valid, probable] }", "accept: [valid, probable], policy: better }")
    [sync] = read(tmp_path, text).syncs
    assert [sync.writes(one) for one in (Field.EMAIL, Field.PHONE, Field.LINKEDIN)] == ["better", *["fill_blank"] * 2]
    [wrong] = problems(tmp_path, text.replace("policy: better", "policy: best"))
    assert "syncs[0].fields.email.policy" in wrong

-- The ledger's tables. Times are UTC seconds (REAL). Credits are thousandths of a credit (INTEGER, `_mc`), so that
-- sums are exact. Connections, fields and states are stored as words: a ledger can be read with any SQLite tool.

-- All that is known of somebody (`identity`, what was asked and said) is a JSON object without blanks: `fn` and `ln` first
-- and last name, `n` the full one, `co` company, `d` its domain, `ec` its country, `c` country, `in` LinkedIn profile, `e` e-mail,
-- `t` title, `es` other addresses, `ps` phones, `s` mailboxes of several, `o` other profiles. What was found (`candidates`) is
-- a list for each value: grade, value, the provider's word for it, region, line, note.
CREATE TABLE contact (
    id INTEGER PRIMARY KEY, connection TEXT NOT NULL, object TEXT NOT NULL, ext_id TEXT NOT NULL,
    sync TEXT NOT NULL, revision INTEGER NOT NULL, identity TEXT NOT NULL, person TEXT, -- `revision`: a digest of the CRM's
    lacks TEXT NOT NULL, blocked TEXT NOT NULL, planned INTEGER NOT NULL DEFAULT 0,
    pulled_at REAL NOT NULL,
    fingerprint INTEGER,                    -- digest of what was pulled: an equal one means that nothing changed
    vague TEXT NOT NULL DEFAULT '[]',       -- profiles and mailboxes that identify nobody
    namesakes INTEGER NOT NULL DEFAULT 0,   -- another record may be the same person
    became_at REAL NOT NULL DEFAULT 0,      -- since when the record is about whom it is about now
    learned TEXT,                           -- a profile that an answer brought
    opt_out TEXT NOT NULL DEFAULT '{}',     -- fields in which the person opted out
    requested INTEGER NOT NULL DEFAULT 0,   -- somebody has ticked the sync's checkbox: this one now
    to_tell INTEGER NOT NULL DEFAULT 0      -- a value was verified again: what the CRM is told of it is to be renewed
) STRICT;
CREATE UNIQUE INDEX contact_key ON contact (connection, object, ext_id);
CREATE INDEX contact_unplanned ON contact (id) WHERE planned = 0;
CREATE INDEX contact_person ON contact (person);
CREATE INDEX contact_vague ON contact (id) WHERE vague <> '[]';
CREATE INDEX contact_requested ON contact (id) WHERE requested = 1;
CREATE INDEX contact_to_tell ON contact (id) WHERE to_tell = 1;
CREATE INDEX contact_opt_out ON contact (person) WHERE opt_out <> '{}';

-- The words by which a person finds a contact: names, mailboxes, employer. Only the index is kept: 28 bytes a contact.
CREATE VIRTUAL TABLE contact_words USING fts5 (words, content = '', contentless_delete = 1, detail = none);

-- What a contact can be recognised by: digests (48 bits) of its profile, mailboxes, and name at each
-- employer. They only say which records are to be compared.
CREATE TABLE person_key (
    key INTEGER NOT NULL, contact_id INTEGER NOT NULL REFERENCES contact (id), PRIMARY KEY (key, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_key_contact ON person_key (contact_id);

-- Who is left alone: a digest (HMAC-SHA-256, 128 bits, hexadecimal) for each mailbox, domain, profile … `forgotten`: the
-- person was erased, and new records of theirs are not even stored.
CREATE TABLE suppression (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, reason TEXT NOT NULL, added_by TEXT NOT NULL, at REAL NOT NULL,
    forgotten INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX suppression_kind ON suppression (kind, forgotten);
-- The key of these digests, made with the first entry. It stands in the ledger so that each copy can read its own list.
CREATE TABLE suppression_key (key BLOB NOT NULL) STRICT;

-- Requests about people who were erased, in calls that may still be answered: those answers are dropped. `fields`: of the
-- question, as JSON.
CREATE TABLE forgotten_request (
    submission_id TEXT NOT NULL, request_id TEXT NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (submission_id, request_id)
) STRICT, WITHOUT ROWID;

-- What a sync pulls: object, filter and properties, by their fingerprint, so that a sync can be renamed. `sweep` counts
-- the full pulls that were begun; `sweeping`: the last one has not come to its end yet. `brought`: by the last whole one;
-- `missing`: for whom something is still to be done, and whom it did not bring.
CREATE TABLE selection (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, cursor TEXT, sweep INTEGER NOT NULL DEFAULT 0,
    sweeping INTEGER NOT NULL DEFAULT 0, swept_at REAL, brought INTEGER NOT NULL DEFAULT 0, missing INTEGER NOT NULL DEFAULT 0
) STRICT;
-- Which contacts a selection holds, as far as it was seen; `sweep`: the full pull that brought it last, or was under way.
CREATE TABLE member (
    contact_id INTEGER NOT NULL REFERENCES contact (id), selection_id INTEGER NOT NULL REFERENCES selection (id),
    sweep INTEGER NOT NULL, PRIMARY KEY (contact_id, selection_id)
) STRICT, WITHOUT ROWID;

-- The configuration that the ledger was last used with: another one is noticed, and decided by.
CREATE TABLE sync (
    name TEXT PRIMARY KEY, crm TEXT NOT NULL, object TEXT NOT NULL, selection TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- `mark`: a digest of kind, host and key, by which a connection is known that has another name now.
CREATE TABLE known_connection (name TEXT PRIMARY KEY, mark TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- Names that connections had: callbacks that were ordered under them are still welcome.
CREATE TABLE former_name (former TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE policy (
    sync TEXT NOT NULL, field TEXT NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (sync, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY, contact_id INTEGER NOT NULL REFERENCES contact (id), sync TEXT NOT NULL,
    field TEXT NOT NULL, person TEXT, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '', round INTEGER NOT NULL DEFAULT 0,
    provider TEXT NOT NULL DEFAULT '', priority INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL DEFAULT 0,
    behind INTEGER, submission_id TEXT, value TEXT, thinned INTEGER NOT NULL DEFAULT 0,
    updated_at REAL NOT NULL, result_id INTEGER, destination TEXT NOT NULL DEFAULT '',
    retried_at REAL NOT NULL DEFAULT 0,     -- since when a person wants it to be tried again
    asked_person TEXT NOT NULL DEFAULT '',  -- who is asked about; '' where that is not known, or is somebody else by now
    steps TEXT NOT NULL DEFAULT ''          -- its history, the oldest first: `,1,16,41`; read `event`
) STRICT;
CREATE UNIQUE INDEX job_key ON job (contact_id, field);
CREATE INDEX job_queued ON job (sync, provider, priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_waiting ON job (due_at) WHERE state = 'waiting';
CREATE INDEX job_behind ON job (behind) WHERE behind IS NOT NULL;
CREATE INDEX job_flight ON job (submission_id) WHERE state IN ('sending', 'sent', 'in_doubt');
-- At most one question at a time about a field of a person.
CREATE UNIQUE INDEX job_asked ON job (asked_person, field)
    WHERE state IN ('sending', 'sent', 'in_doubt') AND asked_person <> '';
CREATE INDEX job_answered ON job (id) WHERE state = 'answered';
CREATE INDEX job_writeback ON job (sync, due_at, id) WHERE state IN ('accepted', 'writing');
CREATE INDEX job_review ON job (due_at) WHERE state = 'review';
CREATE INDEX job_ended ON job (reason) WHERE state = 'done';
CREATE INDEX job_thick ON job ((CAST(floor(updated_at / 3600) AS INTEGER))) WHERE state = 'done' AND thinned = 0; -- by the hour

-- When to decide on a job again although nothing has changed but the time, or the policy.
CREATE TABLE again (job_id INTEGER PRIMARY KEY REFERENCES job (id), at REAL NOT NULL) STRICT;
CREATE INDEX again_at ON again (at);

CREATE TABLE submission (
    id TEXT PRIMARY KEY, provider TEXT NOT NULL, sync TEXT NOT NULL, state TEXT NOT NULL,
    provider_id TEXT, requests INTEGER NOT NULL, reserved_mc INTEGER NOT NULL, charged_mc INTEGER,
    assumed_mc INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL, deadline REAL NOT NULL, poll_at REAL, note TEXT NOT NULL DEFAULT '',
    owner INTEGER,                          -- of an intent: the one process that may make the call
    shares TEXT NOT NULL,                   -- how its credits are split among the fields: JSON, thousandths by field
    run_id INTEGER NOT NULL,                -- the newest run of its sync when it was made: `per_run` of a budget
    refresh INTEGER NOT NULL DEFAULT 0,     -- by which values of ours are verified again
    last_word INTEGER NOT NULL DEFAULT 0    -- an answer without a signature has said that somebody was found, or nobody
) STRICT, WITHOUT ROWID;
CREATE INDEX submission_calls ON submission (provider, created_at);
CREATE INDEX submission_poll ON submission (provider, poll_at) WHERE state = 'accepted' AND poll_at IS NOT NULL;
CREATE INDEX submission_open ON submission (deadline) WHERE state IN ('accepted', 'in_doubt');
CREATE INDEX submission_unpriced ON submission (deadline) WHERE state IN ('expired', 'settled') AND reserved_mc > 0;
CREATE INDEX submission_assumed ON submission (created_at) WHERE assumed_mc > 0;
CREATE INDEX submission_doubt ON submission (created_at) WHERE state = 'in_doubt';
CREATE INDEX submission_intent ON submission (id) WHERE state = 'intent';
CREATE INDEX submission_failed ON submission (deadline) WHERE state = 'failed';

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES job (id),
    submission_id TEXT NOT NULL REFERENCES submission (id),
    request TEXT NOT NULL,                  -- what the request's id has of its own behind the call's: see `question`
    provider TEXT NOT NULL, round INTEGER NOT NULL, live INTEGER NOT NULL DEFAULT 1, asked TEXT NOT NULL,
    created_at REAL NOT NULL, way TEXT NOT NULL DEFAULT '',
    question INTEGER                        -- digest of what is told: no identical one is bought while one is live and fresh
) STRICT;
-- At most one paid question per job, provider, round and way: an attempt stops being live only when it
-- is certain that nothing was spent, or when the operator's policy says so.
CREATE UNIQUE INDEX attempt_once ON attempt (job_id, provider, round, way, nullif(live, 0)); -- NULLs are all different
CREATE INDEX attempt_question ON attempt (question) WHERE live = 1;
CREATE INDEX attempt_submission ON attempt (submission_id, request);

-- Credits by the quarter hour in which a call was made: a day of any time zone consists of whole ones.
-- `assumed`: calls that were never answered and count as charged; `doubt` is a part of `reserved`. A budget of any scope
-- is a sum of these rows.
CREATE TABLE spend (
    slot INTEGER NOT NULL, sync TEXT NOT NULL, provider TEXT NOT NULL, field TEXT NOT NULL, run_id INTEGER NOT NULL,
    refresh INTEGER NOT NULL,
    reserved_mc INTEGER NOT NULL, charged_mc INTEGER NOT NULL, assumed_mc INTEGER NOT NULL, doubt_mc INTEGER NOT NULL,
    PRIMARY KEY (slot, sync, provider, field, run_id, refresh)
) STRICT, WITHOUT ROWID;
CREATE INDEX spend_run ON spend (run_id);
-- The same of each provider since the beginning. `refund`: what settled calls had reserved beyond their charge, which
-- the provider may have taken when it took the call, and given back since.
CREATE TABLE credit_total (
    provider TEXT PRIMARY KEY, submissions INTEGER NOT NULL, reserved_mc INTEGER NOT NULL, charged_mc INTEGER NOT NULL,
    assumed_mc INTEGER NOT NULL, doubt_mc INTEGER NOT NULL, refund_mc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- A single call did not fit into a cap (`day`, `month`, `run`) of a budget: it could have taken `needs_mc` of it. Whether
-- it would fit now is calculated when somebody looks.
CREATE TABLE over_budget (
    budget TEXT NOT NULL, cap TEXT NOT NULL, sync TEXT NOT NULL, provider TEXT NOT NULL, needs_mc INTEGER NOT NULL,
    since REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (budget, cap, sync, provider, needs_mc)
) STRICT, WITHOUT ROWID;
-- The dearest that one find was seen to cost, where that is more than the connector knows.
CREATE TABLE dearest (
    provider TEXT NOT NULL, field TEXT NOT NULL, price_mc INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (provider, field)
) STRICT, WITHOUT ROWID;

-- How a provider's answers usually look: what `body` repeats of that takes no room. Rows stay as long as there are bodies.
CREATE TABLE sample (id INTEGER PRIMARY KEY, text BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY, provider TEXT NOT NULL, submission_id TEXT NOT NULL, source TEXT NOT NULL,
    digest INTEGER NOT NULL,                -- of the body and all that makes it one of its own: 64 bits
    headers TEXT,                           -- NULL: its signature was checked when it came
    body BLOB NOT NULL,                     -- of what is not believed only the first bytes
    sample_id INTEGER REFERENCES sample (id), -- `body` is packed (raw deflate, with this sample as its dictionary)
    ref TEXT, field TEXT, state TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '', repeats INTEGER NOT NULL DEFAULT 0, received_at REAL NOT NULL,
    part TEXT NOT NULL DEFAULT '', size INTEGER NOT NULL DEFAULT 0 -- bytes that came
) STRICT;
CREATE UNIQUE INDEX delivery_once ON delivery (submission_id, digest);
CREATE INDEX delivery_quarantined ON delivery (id) WHERE state = 'quarantined';
CREATE INDEX delivery_todo ON delivery (id) WHERE state = 'received';

-- What speaks for and against answers being about their contacts: the same few texts again and again, of a fixed vocabulary.
CREATE TABLE evidence (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE result (
    id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES job (id), provider TEXT NOT NULL,
    round INTEGER NOT NULL, submission_id TEXT, delivery_id INTEGER, outcome TEXT NOT NULL,
    candidates TEXT NOT NULL, note TEXT NOT NULL, at REAL NOT NULL, said TEXT NOT NULL DEFAULT '[]',
    told TEXT, asked_at REAL,               -- NULL: what its attempt was told, and when; read them in `answer`
    way TEXT NOT NULL DEFAULT '',
    doubt TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT '', evidence_id INTEGER REFERENCES evidence (id)
) STRICT;
CREATE UNIQUE INDEX result_job ON result (job_id, delivery_id);  -- a delivery says one thing of a job
-- What was said and told, in full. Of one person, `said` may be an object: how it differs from what was asked (a JSON
-- merge patch, RFC 7396). An attempt's `asked` is '' where the request's first attempt holds it. `+`: to be found by the
-- job, which has a few attempts, not by the call, which has hundreds.
CREATE VIEW question AS
SELECT id, job_id, submission_id, request,
    iif(request = '' OR substr(request, 1, 1) = '.', submission_id || request, request) AS request_id,
    provider, round, live, created_at, way, question, iif(asked <> '', asked, (
        SELECT first.asked FROM attempt AS first WHERE first.submission_id = attempt.submission_id
            AND first.request = attempt.request AND first.asked <> '' LIMIT 1)) AS asked
FROM attempt;
CREATE VIEW answer AS
SELECT id, job_id, provider, round, submission_id, delivery_id, outcome, candidates, note, at,
    iif(said >= '{', '[' || json_patch((
        SELECT question.asked FROM question
        WHERE question.job_id = result.job_id AND +question.submission_id = result.submission_id LIMIT 1), said) || ']', said) AS said,
    way, coalesce(asked_at, (
        SELECT attempt.created_at FROM attempt
        WHERE attempt.job_id = result.job_id AND +attempt.submission_id = result.submission_id LIMIT 1), at) AS asked_at,
    doubt, verdict, coalesce((SELECT text FROM evidence WHERE evidence.id = evidence_id), '') AS evidence, coalesce(told, (
        SELECT question.asked FROM question
        WHERE question.job_id = result.job_id AND +question.submission_id = result.submission_id LIMIT 1), '{}') AS told
FROM result;

-- A value that waits for a person's decision, and what was decided: one row for each answer that is in doubt, or whose
-- value a person has to approve (`why`: approval).
CREATE TABLE review (
    result_id INTEGER PRIMARY KEY REFERENCES result (id), job_id INTEGER NOT NULL REFERENCES job (id),
    value TEXT NOT NULL, why TEXT NOT NULL, opened_at REAL NOT NULL, until REAL,
    decision TEXT NOT NULL DEFAULT '', decided_at REAL, decided_by TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX review_job ON review (job_id);

CREATE TABLE write (
    id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES job (id), before TEXT NOT NULL,
    after TEXT NOT NULL, seen TEXT NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL DEFAULT '',
    property TEXT NOT NULL DEFAULT '',  -- of the CRM
    at REAL NOT NULL, done_at REAL,
    run_id INTEGER NOT NULL DEFAULT 0,  -- the newest run of its sync when it was begun; 0: there was none
    result_id INTEGER,                  -- the answer that the value is from
    policy TEXT NOT NULL DEFAULT '',    -- what was allowed to stand there before: '' nothing (`fill_blank`)
    basis TEXT NOT NULL DEFAULT '',     -- the legal basis that was named with it, where the record named none
    record TEXT NOT NULL DEFAULT ''     -- the id that the CRM gave for the record, where it was merged into another one
) STRICT;
CREATE INDEX write_job ON write (job_id);
CREATE INDEX write_record ON write (record) WHERE record <> '';
CREATE INDEX write_run ON write (run_id, iif(state = 'written', 1, 0));  -- a run's values are counted by it alone
CREATE UNIQUE INDEX write_open ON write (job_id) WHERE state = 'intent';
-- What was written to a contact's record for another contact, whose own record was merged into it. (Not `=`: PostgreSQL would
-- look through all contacts of the connection, as long as it does not know how many those are.)
CREATE VIEW merged_write AS
SELECT contact.id AS contact_id, job.field, write.id AS write_id
FROM contact CROSS JOIN write INDEXED BY write_record ON write.record = contact.ext_id AND write.record <> ''
CROSS JOIN job ON job.id = write.job_id CROSS JOIN contact AS merged ON merged.id = job.contact_id
    AND merged.connection IS NOT DISTINCT FROM contact.connection AND merged.object IS NOT DISTINCT FROM contact.object;

-- What became of questions and values, by UTC day: `syncd report`. Rows of `result` and `write` are counted once, a while
-- after they came (see daily.py); who is erased later stays counted. What a day has cost stands in `spend`.
CREATE TABLE daily (
    day INTEGER NOT NULL, sync TEXT NOT NULL, field TEXT NOT NULL, provider TEXT NOT NULL,
    found INTEGER NOT NULL, missed INTEGER NOT NULL, unanswered INTEGER NOT NULL, verified INTEGER NOT NULL,
    contradicted INTEGER NOT NULL, asked_first INTEGER NOT NULL, found_first INTEGER NOT NULL,
    written INTEGER NOT NULL, refused INTEGER NOT NULL, PRIMARY KEY (day, sync, field, provider)
) STRICT, WITHOUT ROWID;
-- How long answers took: so many took about 2 to the power of `quarter` / 4 seconds.
CREATE TABLE daily_latency (
    day INTEGER NOT NULL, sync TEXT NOT NULL, field TEXT NOT NULL, provider TEXT NOT NULL, quarter INTEGER NOT NULL,
    n INTEGER NOT NULL, PRIMARY KEY (day, sync, field, provider, quarter)
) STRICT, WITHOUT ROWID;
-- What counts in them. Of each question the first answer that says something; `first`: no other provider had said anything
-- of that field before. Its day is that of the call; a written value's day is that of the write.
CREATE VIEW answered AS
SELECT id, CAST(floor(called_at / 86400) AS INTEGER) AS day, sync, field, provider, iif(outcome = 'found', 1, 0) AS found,
    iif(outcome = 'not_found', 1, 0) AS missed, iif(outcome NOT IN ('found', 'not_found'), 1, 0) AS unanswered,
    iif(outcome = 'found' AND instr(candidates, '["valid"') > 0, 1, 0) AS verified,
    iif(verdict = 'other', 1, 0) AS contradicted,
    iif(outcome IN ('found', 'not_found') AND NOT EXISTS (SELECT 1 FROM result AS other WHERE other.job_id = asked.job_id
        AND other.provider <> asked.provider AND other.id < asked.id AND other.outcome IN ('found', 'not_found')), 1, 0) AS first,
    CAST(round(4 * log2(max(1.0, at - called_at))) AS INTEGER) AS quarter
FROM (
    SELECT result.*, job.sync, job.field, coalesce((SELECT attempt.created_at FROM attempt WHERE attempt.job_id = result.job_id
        AND +attempt.submission_id = result.submission_id LIMIT 1), result.at) AS called_at
    FROM result JOIN job ON job.id = result.job_id
    WHERE result.told IS NULL AND result.outcome IN ('found', 'not_found', 'missing', 'failed', 'unresolved')
        AND NOT EXISTS (SELECT 1 FROM result AS other WHERE other.job_id = result.job_id AND other.id < result.id
            AND other.submission_id = result.submission_id AND other.outcome IN ('found', 'not_found'))
) AS asked;
CREATE VIEW ended_write AS
SELECT write.id, CAST(floor(write.at / 86400) AS INTEGER) AS day, job.sync, job.field, coalesce(result.provider, '') AS provider,
    iif(write.state IN ('written', 'cleared'), 1, 0) AS written,
    iif(write.state IN ('write_refused', 'duplicate_of'), 1, 0) AS refused
FROM write JOIN job ON job.id = write.job_id LEFT JOIN result ON result.id = write.result_id
WHERE write.state IN ('written', 'cleared', 'write_refused', 'duplicate_of');

CREATE TABLE run (
    id INTEGER PRIMARY KEY, sync TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL,
    contacts INTEGER NOT NULL DEFAULT 0, stale INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
    last_contact INTEGER NOT NULL DEFAULT 0,    -- the newest contact when it ended: who comes later is new
    kind TEXT NOT NULL DEFAULT 'pull',          -- or `undo`, which is of no sync (''): `contacts` counts its values
    note TEXT NOT NULL DEFAULT '',              -- of an undo: what was to be put back, and who wanted it
    accepted INTEGER NOT NULL DEFAULT 0         -- values that were accepted without a person, where only some may be
) STRICT;
CREATE INDEX run_sync ON run (sync, id);
CREATE INDEX run_undo ON run (id) WHERE kind = 'undo' AND ended_at IS NULL;

-- A written value that a person wants to be put back: `back` is what was there before. Several values that were written
-- over each other are put back together: `head` is the newest of these writes, which still stands in the CRM.
-- `state`: asked, intent, undone, kept (somebody has changed it since), gone, refused.
CREATE TABLE undo (
    write_id INTEGER NOT NULL, run_id INTEGER NOT NULL REFERENCES run (id), job_id INTEGER NOT NULL,
    contact_id INTEGER NOT NULL, head INTEGER NOT NULL, back TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'asked',
    seen TEXT NOT NULL DEFAULT '',      -- the CRM's stamp of the newest version at the read before our write
    note TEXT NOT NULL DEFAULT '', due_at REAL NOT NULL DEFAULT 0, at REAL NOT NULL, done_at REAL,
    PRIMARY KEY (write_id, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX undo_run ON undo (run_id, state);
CREATE INDEX undo_head ON undo (head, run_id);
CREATE INDEX undo_open ON undo (due_at) WHERE state IN ('asked', 'intent');
CREATE INDEX undo_intent ON undo (contact_id) WHERE state = 'intent';
CREATE UNIQUE INDEX undo_once ON undo (write_id) WHERE state IN ('asked', 'intent', 'undone');

-- What happened at one moment to one job or to many (`jobs` of them). Which jobs that were stands with each of them, in
-- `steps`: a row for each step of each job took a fifteenth of the file. That none is missing, `jobs` proves. Read it as `event`.
-- `provider` and `submission_id` stand where the move set them.
CREATE TABLE step (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, reason TEXT NOT NULL,
    note TEXT NOT NULL, provider TEXT NOT NULL, submission_id TEXT, jobs INTEGER NOT NULL
) STRICT;
CREATE INDEX step_unused ON step (id) WHERE jobs = 0;
CREATE VIEW history AS
SELECT job.id AS job_id, one.value AS step_id FROM job CROSS JOIN json_each('[' || substr(job.steps, 2) || ']') AS one;
-- Values that wait for a person's decision. A review is over when its job has moved on. `ours`: our newest value there
-- that was not put back. `replaces`: a blank would be filled (0), a value of ours (1) or one that is not ours (2) replaced.
CREATE VIEW waiting_review AS
SELECT review.*, job.id AS held_job, job.sync, job.field, job.destination, job.due_at,
    contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref, contact.identity, contact.lacks,
    contact.pulled_at, answer.provider, answer.said, answer.told, answer.candidates, answer.evidence, answer.verdict,
    answer.submission_id, answer.asked_at, ours.after AS ours, ours.done_at AS ours_at,
    CASE WHEN instr(contact.lacks, '"' || job.field || '"') > 0 AND coalesce(ours.done_at, 0) <= contact.pulled_at THEN 0
        WHEN ours.after <> '' THEN 1 ELSE 2 END AS replaces
FROM job CROSS JOIN review ON review.job_id = job.id AND review.decision = '' -- CROSS: few jobs wait, many reviews are over
JOIN answer ON answer.id = review.result_id JOIN contact ON contact.id = job.contact_id
LEFT JOIN write AS ours ON ours.id = (SELECT max(write.id) FROM write WHERE write.job_id = job.id AND write.state = 'written'
    AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.write_id = write.id AND undo.state = 'undone'))
WHERE job.state = 'review';

CREATE VIEW event AS
SELECT step.id, history.job_id, step.at, step.source, step.target, step.reason, step.note, step.provider, step.submission_id
FROM history JOIN step ON step.id = history.step_id;

CREATE TABLE counter (
    sync TEXT NOT NULL, field TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    n INTEGER NOT NULL, PRIMARY KEY (sync, field, state, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE connection (
    name TEXT PRIMARY KEY, trouble TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
    cure TEXT NOT NULL DEFAULT '', since REAL, windows TEXT, balance TEXT, balance_at REAL,
    account TEXT NOT NULL DEFAULT '',       -- the vendor's id of the account that all of this comes from
    blocked_until REAL NOT NULL DEFAULT 0,  -- the vendor wants no call before
    refusals INTEGER NOT NULL DEFAULT 0     -- so many in a row that were nobody's fault
) STRICT, WITHOUT ROWID;
-- How many calls a connection has had, by slots of `width` seconds: see rates.py. `last`: when the newest call of the slot was.
CREATE TABLE rate (
    connection TEXT NOT NULL, width REAL NOT NULL, slot INTEGER NOT NULL, used INTEGER NOT NULL, last REAL NOT NULL,
    PRIMARY KEY (connection, width, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE memory (
    connection TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (connection, key)
) STRICT, WITHOUT ROWID;
-- The processes that work on this ledger, by numbers that no other one has had. Whose lease is over has ended, or stands still.
CREATE TABLE worker (owner INTEGER PRIMARY KEY, started_at REAL NOT NULL, lease_until REAL NOT NULL) STRICT;
-- What a process has taken to work on: there is a row only as long. An `epoch` never comes twice; results are stored only while
-- the row with their epoch is there. `kind`: see claims.py.
CREATE TABLE claim (
    kind TEXT NOT NULL, item TEXT NOT NULL, owner INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (kind, item)
) STRICT, WITHOUT ROWID;
-- Where this ledger was moved to; or, `arriving`, from where it is being moved here. No row: it stays here.
CREATE TABLE moved (place TEXT PRIMARY KEY, at REAL NOT NULL, arriving INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID;
-- What a provider's balance was, and what the ledger had been charged by then: the last quarter of an hour.
CREATE TABLE balance (
    provider TEXT NOT NULL, at REAL NOT NULL, balance_mc INTEGER NOT NULL, charged_mc INTEGER NOT NULL,
    refund_mc INTEGER NOT NULL, PRIMARY KEY (provider, at)
) STRICT, WITHOUT ROWID;
-- How the balance compares with what the ledger was charged: see reconciliation.py for what each of these is.
CREATE TABLE reconciliation (
    provider TEXT PRIMARY KEY, state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- Why nothing is bought: `sync` is '' where all of them are meant, `owner` 0 where every process is.
CREATE TABLE gate (
    watch TEXT NOT NULL, sync TEXT NOT NULL, owner INTEGER NOT NULL, why TEXT NOT NULL, cure TEXT NOT NULL,
    since REAL NOT NULL, PRIMARY KEY (watch, sync, owner)
) STRICT, WITHOUT ROWID;
-- What a person, or a canary (`by`), has stopped: `kind` sync, provider or all; `until` NULL: until somebody resumes it.
CREATE TABLE pause (
    kind TEXT NOT NULL, name TEXT NOT NULL, why TEXT NOT NULL, since REAL NOT NULL, until REAL, by TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
-- Callbacks that a process has sent to itself, to see whether they arrive.
CREATE TABLE canary (nonce TEXT PRIMARY KEY, at REAL NOT NULL, arrived INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
-- What only a running process can see of itself: a stage that is late, a vendor that does not answer.
CREATE TABLE symptom (
    owner INTEGER NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, cure TEXT NOT NULL,
    since REAL NOT NULL, PRIMARY KEY (owner, kind, who)
) STRICT, WITHOUT ROWID;
-- What each target of alerts (a digest of its address) was told of, or is to be told of. A row goes once its end was told.
CREATE TABLE alert (
    target TEXT NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, detail TEXT NOT NULL, line TEXT NOT NULL,
    since REAL NOT NULL, told_at REAL, over_at REAL, PRIMARY KEY (target, kind, who, detail)
) STRICT, WITHOUT ROWID;
-- May paid calls go out to a provider? A row once something went wrong: `pipeline/breaker.py` says what it means.
CREATE TABLE breaker (
    connection TEXT PRIMARY KEY, why TEXT NOT NULL, opened_at REAL NOT NULL, doubted_at REAL NOT NULL,
    next_look_at REAL NOT NULL, looks INTEGER NOT NULL, doubts INTEGER NOT NULL, trials INTEGER NOT NULL,
    seen_down INTEGER NOT NULL, trial INTEGER NOT NULL, kind TEXT NOT NULL, refused TEXT NOT NULL,
    halts INTEGER NOT NULL, lift_at REAL NOT NULL, short TEXT, balance TEXT, short_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
-- How many calls each sync has had at a provider, weighed by its priority: whoever has had the fewest is next.
CREATE TABLE turn (
    connection TEXT NOT NULL, sync TEXT NOT NULL, used REAL NOT NULL, PRIMARY KEY (connection, sync)
) STRICT, WITHOUT ROWID;
-- Does a sync's CRM take what is written? Until a write was confirmed for the sync as it is configured (`policy`), and
-- after a refusal until the next one is, only a few are bought.
CREATE TABLE sync_state (
    sync TEXT PRIMARY KEY, policy TEXT NOT NULL DEFAULT '', confirmed_at REAL NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0, words TEXT NOT NULL DEFAULT '', probes INTEGER NOT NULL DEFAULT 0,
    probe_at REAL NOT NULL DEFAULT 0,
    canary_policy TEXT NOT NULL DEFAULT '', -- what the sync wrote in its canary: see write_limits.py
    canary_writes INTEGER NOT NULL DEFAULT 0, canary_looked_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TRIGGER submission_made AFTER INSERT ON submission BEGIN
    INSERT INTO spend
    SELECT CAST(floor(NEW.created_at / 900) AS INTEGER), NEW.sync, NEW.provider, share.key, NEW.run_id, NEW.refresh,
        share.value, 0, 0, 0
    FROM json_each(NEW.shares) AS share WHERE true
    ON CONFLICT (slot, sync, provider, field, run_id, refresh) DO UPDATE SET reserved_mc = spend.reserved_mc + excluded.reserved_mc;
    INSERT INTO credit_total VALUES (NEW.provider, 1, NEW.reserved_mc, 0, 0, 0, 0)
    ON CONFLICT (provider) DO UPDATE SET submissions = credit_total.submissions + 1,
        reserved_mc = credit_total.reserved_mc + excluded.reserved_mc;
END;
-- A call's credits are either reserved, charged or assumed, and its shares are those of whichever it is.
CREATE TRIGGER submission_moved AFTER UPDATE OF state, reserved_mc, charged_mc, assumed_mc ON submission
WHEN NEW.reserved_mc <> OLD.reserved_mc OR NEW.charged_mc IS DISTINCT FROM OLD.charged_mc OR NEW.assumed_mc <> OLD.assumed_mc
    OR (NEW.state = 'in_doubt') <> (OLD.state = 'in_doubt') BEGIN
    UPDATE spend SET
        reserved_mc = reserved_mc + iif(NEW.reserved_mc > 0, share.after, 0) - iif(OLD.reserved_mc > 0, share.before, 0),
        charged_mc = charged_mc + iif(NEW.charged_mc > 0, share.after, 0) - iif(OLD.charged_mc > 0, share.before, 0),
        assumed_mc = assumed_mc + iif(NEW.assumed_mc > 0, share.after, 0) - iif(OLD.assumed_mc > 0, share.before, 0),
        doubt_mc = doubt_mc + iif(NEW.state = 'in_doubt' AND NEW.reserved_mc > 0, share.after, 0)
            - iif(OLD.state = 'in_doubt' AND OLD.reserved_mc > 0, share.before, 0)
    FROM (SELECT later.key AS field, later.value AS after, former.value AS before
        FROM json_each(NEW.shares) AS later LEFT JOIN json_each(OLD.shares) AS former ON former.key = later.key) AS share
    WHERE slot = CAST(floor(NEW.created_at / 900) AS INTEGER) AND sync = NEW.sync AND provider = NEW.provider
        AND spend.field = share.field AND run_id = NEW.run_id AND refresh = NEW.refresh;
    UPDATE credit_total SET reserved_mc = reserved_mc + NEW.reserved_mc - OLD.reserved_mc,
        charged_mc = charged_mc + coalesce(NEW.charged_mc, 0) - coalesce(OLD.charged_mc, 0),
        assumed_mc = assumed_mc + NEW.assumed_mc - OLD.assumed_mc,
        doubt_mc = doubt_mc
            + iif(NEW.state = 'in_doubt', NEW.reserved_mc, 0) - iif(OLD.state = 'in_doubt', OLD.reserved_mc, 0),
        refund_mc = refund_mc + iif(NEW.state = 'refused', 0, max(0, OLD.reserved_mc + OLD.assumed_mc
            - NEW.reserved_mc - NEW.assumed_mc - coalesce(NEW.charged_mc, 0) + coalesce(OLD.charged_mc, 0)))
    WHERE provider = NEW.provider;
END;
CREATE TRIGGER step_is_append_only BEFORE UPDATE OF id, at, source, target, reason, provider, submission_id ON step
BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
CREATE TRIGGER step_note_is_append_only BEFORE UPDATE OF note ON step WHEN NEW.note <> '' -- but may be erased
BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
CREATE TRIGGER job_steps_are_append_only AFTER UPDATE OF steps ON job
WHEN NEW.steps <> '' AND substr(NEW.steps, 1, length(OLD.steps)) <> OLD.steps
BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;

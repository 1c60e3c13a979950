-- Every statement of the ledger, by name. `:now` and all ids are given; nothing is taken from SQLite's
-- own clock. A test prepares each one against a fresh schema and looks at its query plan. A limit is written
-- `:limit + 0`, and a state that is given is compared as `state = +:state`: SQLite plans a statement anew for each value of
-- a bare `LIMIT :limit`, and of what a partial index may depend on, ten times the work of an empty look.
--
-- Rows travel as one JSON array (`jsonb_each(:rows)`): one statement for each table and batch. Where a row has several
-- values, `jsonb_each` spares parsing the row's text anew for each of them. What is read in large numbers comes back in
-- the same way (`Tx.packed`): each row that is fetched lets other threads of Python run first.
--
-- Within a transaction, tables are written in one order, so that several writers could never wait for each other: worker
-- and claim, then gate, breaker and connection, rate, submission (and with it spend, of which budgets are sums), job,
-- attempt and result, delivery, contact; step and counter come last (`Tx.close`). (On PostgreSQL they do not
-- even meet, for one transaction writes at a time: see `postgres.py`. Who waits for rows there is another program.)

-- ------------------------------------------------------------------ claims: who works on what

-- name: ledger_time
-- By which leases are measured: where several hosts share a database, its own clock; else the time that is given.
SELECT ledger_time(:now)

-- name: worker_renew
INSERT INTO worker VALUES (:owner, ledger_time(:now), ledger_time(:now) + :lease)
ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until WHERE abs(excluded.lease_until - worker.lease_until) > :worth

-- name: epoch_next
INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT (key) DO UPDATE SET value = meta.value + 1 RETURNING value

-- name: claims_take
INSERT INTO claim SELECT :kind, value, :owner, :epoch FROM json_each_text(:items) WHERE true ON CONFLICT DO NOTHING

-- name: claims_taken
-- (Each is looked up by its whole key: of a kind, PostgreSQL's index also has all that was let go of and not cleaned up yet.)
SELECT value FROM json_each_text(:items) AS wanted
WHERE (SELECT epoch FROM claim WHERE kind = :kind AND item = wanted.value) = :epoch

-- name: claims_held
SELECT count(*) FROM json_each_text(:items) AS wanted
WHERE (SELECT epoch FROM claim WHERE kind = :kind AND item = wanted.value) = :epoch

-- name: claims_release
DELETE FROM claim WHERE kind = :kind AND item IN (SELECT value FROM json_each_text(:items)) AND epoch = :epoch

-- name: claims_release [postgres]
DELETE FROM claim WHERE ctid = ANY (ARRAY(SELECT (
    SELECT ctid FROM claim WHERE kind = :kind AND item = wanted.value AND epoch = :epoch) FROM json_each_text(:items) AS wanted))

-- name: claims_forget
DELETE FROM claim

-- name: claims_let_go
DELETE FROM claim WHERE owner = :owner

-- name: workers_forget
DELETE FROM worker

-- name: worker_let_go
DELETE FROM worker WHERE owner = :owner

-- name: workers_alive
SELECT count(*) FROM worker WHERE owner <> :owner AND lease_until > ledger_time(:now)

-- name: claims_expire
DELETE FROM claim WHERE (owner <> :owner AND owner NOT IN (SELECT owner FROM worker WHERE lease_until > ledger_time(:now)))
    OR (owner = :owner AND epoch <= :newest AND epoch NOT IN (SELECT value FROM json_each(:active))) RETURNING kind, item

-- name: workers_expire
DELETE FROM worker WHERE owner <> :owner AND lease_until <= ledger_time(:now)

-- ------------------------------------------------------------------ may a call go out?

-- name: what_stops_a_call
-- The first reason why a process may not buy for a sync at a provider now.
SELECT why FROM gate WHERE owner IN (0, :owner) AND sync IN ('', :sync)
UNION ALL SELECT name || ' is halted' FROM connection WHERE name IN (:provider, :crm) AND trouble <> ''
UNION ALL SELECT why FROM breaker WHERE connection = :provider AND why <> '' AND (trial = 0 OR NOT EXISTS (
    SELECT 1 FROM claim WHERE kind = 'connection' AND item = :provider AND owner = :owner))
UNION ALL SELECT 'paused: ' || why FROM pause WHERE (until IS NULL OR until > :now)
    AND (kind = 'all' OR (kind = 'sync' AND name = :sync) OR (kind = 'provider' AND name = :provider)) LIMIT 1

-- name: pause_set
INSERT INTO pause VALUES (:kind, :name, :why, :now, :until, :by)
ON CONFLICT (kind, name) DO UPDATE SET why = excluded.why, until = excluded.until, by = excluded.by,
    since = iif(pause.until IS NULL OR pause.until > excluded.since, pause.since, excluded.since)

-- name: pause_end
DELETE FROM pause WHERE kind = :kind AND name = :name RETURNING by

-- name: pauses
SELECT * FROM pause WHERE until IS NULL OR until > :now ORDER BY kind, name

-- name: writes_of_run
-- How many writes were begun since the newest pull of a sync.
SELECT count(*) FROM write WHERE run_id = (SELECT max(id) FROM run WHERE sync = :sync) AND run_id > 0

-- name: canary_state
SELECT canary_policy, canary_writes, canary_looked_at FROM sync_state WHERE sync = :sync

-- name: canary_begun
INSERT INTO sync_state (sync, canary_policy, canary_writes) VALUES (:sync, :policy, :writes)
ON CONFLICT (sync) DO UPDATE SET canary_writes = iif(sync_state.canary_policy = excluded.canary_policy, sync_state.canary_writes, 0) + excluded.canary_writes,
    canary_looked_at = iif(sync_state.canary_policy = excluded.canary_policy, sync_state.canary_looked_at, 0), canary_policy = excluded.canary_policy

-- name: canary_looked_at
UPDATE sync_state SET canary_looked_at = 1 WHERE sync = :sync

-- name: connection_blocked
SELECT blocked_until, refusals FROM connection WHERE name = :name

-- name: connection_refuses
INSERT INTO connection (name, refusals, blocked_until) VALUES (:name, 1, :until)
ON CONFLICT (name) DO UPDATE SET refusals = connection.refusals + 1, blocked_until = max(connection.blocked_until, excluded.blocked_until)

-- name: connection_takes
UPDATE connection SET refusals = 0 WHERE name = :name AND refusals > 0

-- name: rate_used
SELECT min(CAST(span.value ->> 'width' AS REAL)) AS width, coalesce(sum(rate.used), 0) AS used
FROM jsonb_each(:spans) AS span LEFT JOIN rate ON rate.connection = :connection AND rate.width = CAST(span.value ->> 'width' AS REAL)
    AND rate.slot >= CAST(span.value ->> 'first' AS INTEGER) AND rate.last > CAST(span.value ->> 'since' AS REAL) GROUP BY span.key

-- name: rate_slots
SELECT used, last FROM rate WHERE connection = :connection AND width = :width AND last > :since ORDER BY slot

-- name: rate_take
INSERT INTO rate SELECT :connection, CAST(value ->> 'width' AS REAL), CAST(value ->> 'slot' AS INTEGER), :calls, :now FROM jsonb_each(:spans)
WHERE true ON CONFLICT (connection, width, slot) DO UPDATE SET used = rate.used + excluded.used, last = max(rate.last, excluded.last)

-- name: rate_not_ahead
UPDATE rate SET last = :now WHERE last > :now

-- name: rate_from_calls
INSERT INTO rate SELECT :connection, :width, CAST(floor(created_at / :width) AS INTEGER), count(*), max(created_at) FROM submission
WHERE provider = :connection AND created_at > :since
    AND NOT EXISTS (SELECT 1 FROM rate WHERE connection = :connection AND width = :width) GROUP BY 3

-- name: rate_forget
DELETE FROM rate WHERE last < :now - width * :slots

-- ------------------------------------------------------------------ jobs: the guarded moves

-- name: jobs_move
-- The same of jobs that have a note, a value and its answer of their own, and so a step of the history (rows of these
-- behind the job's id). A statement for each of them would open all of the table's indexes each time: six times the cost.
UPDATE job SET
    state = :target, thinned = 0, reason = coalesce(:reason, ''), note = coalesce(given.value ->> 1, ''),
    round = coalesce(:round, round), provider = coalesce(:provider, provider), due_at = coalesce(:due_at, iif(:target = 'done', 0, due_at)),
    behind = :behind, submission_id = coalesce(:submission_id, iif(:target = 'accepted', NULL, submission_id)),
    steps = steps || (given.value ->> 4),
    value = coalesce(given.value ->> 2, iif(:target = 'done' AND :source <> 'writing' AND :reason IN ('written', 'outdated'),
        (SELECT after FROM write WHERE job_id = job.id AND write.state = 'written' ORDER BY write.id DESC LIMIT 1), NULL), job.value),
    result_id = coalesce(CAST(given.value ->> 3 AS INTEGER), result_id), destination = coalesce(:destination, destination),
    updated_at = :now, asked_person = CASE WHEN :target = 'sending' THEN coalesce(:asked_person, person, '')
        WHEN :target IN ('sent', 'in_doubt') THEN asked_person ELSE '' END,
    priority = iif(:target = 'done', max(priority, 0), priority)
FROM jsonb_each(:rows) AS given WHERE job.id = CAST(given.value ->> 0 AS INTEGER) AND job.state = +:source

-- name: jobs_move_alike
-- What only somebody who waits needs (when it is due, whose answer, about whom) goes with the state that needs it. A value that
-- was verified again (priority -1) is as any other one from its end on. What was to replace it, and was not
-- written after all, is forgotten: the job holds what we wrote last.
UPDATE job SET
    state = :target, thinned = 0, reason = coalesce(:reason, ''), note = coalesce(:note, ''),
    round = coalesce(:round, round), provider = coalesce(:provider, provider), due_at = coalesce(:due_at, iif(:target = 'done', 0, due_at)),
    behind = :behind, submission_id = coalesce(:submission_id, iif(:target = 'accepted', NULL, submission_id)),
    steps = steps || :step,
    value = coalesce(:value, iif(:target = 'done' AND :source <> 'writing' AND :reason IN ('written', 'outdated'),
        (SELECT after FROM write WHERE job_id = job.id AND write.state = 'written' ORDER BY write.id DESC LIMIT 1), NULL), job.value),
    result_id = coalesce(:result_id, result_id), destination = coalesce(:destination, destination), updated_at = :now,
    asked_person = CASE WHEN :target = 'sending' THEN coalesce(:asked_person, person, '')
        WHEN :target IN ('sent', 'in_doubt') THEN asked_person ELSE '' END,
    priority = iif(:target = 'done', max(priority, 0), priority)
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = +:source

-- name: jobs_places
-- Where jobs stand, those that stand alike in one row: each row that is fetched lets other threads run first.
SELECT sync, field, state, iif(state = 'done', reason, ''), json_group_array(id) FROM job
WHERE id IN (SELECT value FROM json_each(:ids)) GROUP BY 1, 2, 3, 4

-- name: jobs_behind
SELECT job.id FROM json_each(:ids) AS lead JOIN job ON job.behind = lead.value WHERE job.state = 'waiting' ORDER BY job.id

-- name: jobs_make
-- Who was not there when the sync's first run had ended is new, and is asked about before the others.
INSERT INTO job (contact_id, sync, field, person, state, reason, note, provider, steps, priority, updated_at)
SELECT CAST(value ->> 0 AS INTEGER), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
    iif(CAST(value ->> 0 AS INTEGER) > (SELECT last_contact FROM run WHERE run.sync = wanted.value ->> 1
        AND ended_at IS NOT NULL AND error = '' ORDER BY run.id LIMIT 1), 1, 0), :now
FROM jsonb_each(:rows) AS wanted WHERE true ON CONFLICT (contact_id, field) DO NOTHING RETURNING id, contact_id, field

-- name: jobs_hurry
UPDATE job SET priority = :priority WHERE contact_id IN (SELECT value FROM json_each(:ids))
    AND state IN ('queued', 'waiting') AND priority < :priority

-- name: requests_answered
-- Whose checkbox is ticked, and of whom nothing is to be decided on and nothing is open.
SELECT contact.id, contact.ext_id FROM contact INDEXED BY contact_requested
WHERE contact.requested = 1 AND contact.connection = :connection AND contact.object = :object AND contact.planned = 1
    AND NOT EXISTS (SELECT 1 FROM job WHERE job.contact_id = contact.id AND job.state <> 'done')
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'record' AND item = CAST(contact.id AS TEXT))
ORDER BY contact.id LIMIT :limit + 0

-- name: requests_cleared
UPDATE contact SET requested = 0, fingerprint = NULL WHERE id IN (SELECT value FROM json_each(:ids))

-- name: requests_jobs
SELECT job.* FROM json_each(:ids) AS wanted CROSS JOIN job ON job.contact_id = wanted.value ORDER BY job.contact_id, job.field

-- name: step_newest
SELECT max(id) FROM step

-- name: steps_add
INSERT INTO step (id, source, target, reason, note, provider, submission_id, at, jobs)
SELECT CAST(value ->> 0 AS INTEGER), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, CAST(value ->> 7 AS REAL), CAST(value ->> 8 AS INTEGER)
FROM jsonb_each(:rows)

-- name: counters_add
INSERT INTO counter SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS INTEGER) FROM jsonb_each(:rows)
WHERE true ON CONFLICT (sync, field, state, reason) DO UPDATE SET n = counter.n + excluded.n

-- name: job_by_id
SELECT * FROM job WHERE id = :id

-- name: job_of_contact
SELECT * FROM job WHERE contact_id = :contact_id AND field = :field

-- name: jobs_due
SELECT id FROM job WHERE state = 'waiting' AND due_at <= :now LIMIT 500

-- name: reviews_due
-- Nobody has decided for as long as the operator wanted to wait.
SELECT id FROM job INDEXED BY job_review WHERE state = 'review' AND due_at <= :now LIMIT 500

-- ------------------------------------------------------------------ contacts: pull and plan
-- `CROSS JOIN` keeps the order in which tables are read: the few rows that are asked for come first.

-- name: contact_fingerprints
SELECT contact.id, contact.ext_id, contact.fingerprint FROM json_each_text(:ids) AS wanted
CROSS JOIN contact ON contact.connection = :connection AND contact.object = :object AND contact.ext_id = wanted.value

-- name: contacts_by_id
SELECT contact.* FROM json_each(:ids) AS wanted CROSS JOIN contact ON contact.id = wanted.value

-- name: contact_next_id
SELECT coalesce(max(id), 0) + 1 FROM contact

-- name: contact_add
-- Nobody else, until it is recognised.
INSERT INTO contact (id, person, connection, object, ext_id, sync, revision, identity, lacks, blocked, opt_out,
    fingerprint, requested, pulled_at)
VALUES (:id, :person, :connection, :object, :ext_id, :sync, :revision, :identity, :lacks, :blocked, :opt_out,
    :fingerprint, :requested, :now)

-- name: contact_change
-- A contact of which nothing changed that matters keeps its plan; another one is planned again.
UPDATE contact SET sync = :sync, revision = :revision, identity = :identity, lacks = :lacks, blocked = :blocked,
    opt_out = :opt_out, fingerprint = :fingerprint, requested = :requested, pulled_at = :now,
    planned = iif(requested >= :requested AND revision = :revision AND lacks = :lacks AND blocked = :blocked
        AND identity = :identity, planned, 0)
WHERE id = :id

-- name: contact_restate
-- Who a record is about, as it was read just before a write.
UPDATE contact SET identity = :identity, planned = 0, fingerprint = NULL WHERE id = :id

-- name: contact_became
-- The record is about somebody else: what was learned of the one before is forgotten.
UPDATE contact SET became_at = :now, learned = NULL WHERE id = :id

-- name: contact_learn
UPDATE contact SET learned = :profile WHERE id = :id AND learned IS DISTINCT FROM :profile

-- name: contact_recognised
-- Whoever is another person now is planned anew: the opt-outs of other records may not be theirs any more.
UPDATE contact SET person = :person, vague = :vague, namesakes = :namesakes,
    planned = iif(person IS NOT DISTINCT FROM :person, planned, 0)
WHERE id = :id

-- name: contacts_looked
-- Seen in the CRM at a moment, changed or not.
UPDATE contact SET pulled_at = :at WHERE id IN (SELECT contact.id FROM json_each_text(:ids) AS wanted CROSS JOIN contact
    ON contact.connection = :connection AND contact.object = :object AND contact.ext_id = wanted.value)

-- name: jobs_left
-- What is still to be asked about a contact.
SELECT id, field, state FROM job WHERE contact_id = :contact_id AND sync = :sync AND state IN ('queued', 'waiting')

-- name: contact_by_id
SELECT * FROM contact WHERE id = :id

-- name: jobs_person
UPDATE job SET person = :person, asked_person = '' WHERE contact_id = :contact_id AND person IS DISTINCT FROM :person

-- name: kin_replan
-- A record whose person opted out has come to these people, or has left them.
UPDATE contact SET planned = 0 WHERE person IN (SELECT value FROM json_each_text(:people))

-- name: kin_of_contacts_replan
-- Somebody opted out, or in again: the person's other records are planned anew.
UPDATE contact SET planned = 0 WHERE id IN (
    SELECT kin.id FROM json_each(:ids) AS wanted CROSS JOIN contact AS mine ON mine.id = wanted.value
    CROSS JOIN contact AS kin ON kin.person = mine.person AND kin.id <> mine.id)

-- name: keys_of_contacts
SELECT person_key.contact_id, person_key.key FROM json_each(:ids) AS wanted CROSS JOIN person_key ON person_key.contact_id = wanted.value

-- name: keys_forget
DELETE FROM person_key WHERE key = :key AND contact_id = :contact_id

-- name: keys_add
-- (pairs of key and contact)
INSERT INTO person_key SELECT CAST(value ->> 0 AS INTEGER), CAST(value ->> 1 AS INTEGER) FROM jsonb_each(:rows) WHERE true ON CONFLICT DO NOTHING

-- name: holders_of_keys
-- The first and the last holder of each key that anybody holds.
SELECT wanted.value AS key,
    (SELECT min(contact_id) FROM person_key WHERE key = wanted.value) AS first,
    (SELECT max(contact_id) FROM person_key WHERE key = wanted.value) AS last
FROM json_each(:keys) AS wanted WHERE EXISTS (SELECT 1 FROM person_key WHERE key = wanted.value)

-- name: contacts_of_keys
SELECT DISTINCT contact_id FROM json_each(:keys) AS wanted CROSS JOIN person_key ON person_key.key = wanted.value
LIMIT :limit + 0

-- name: contacts_by_shared_key
-- All that share a key with one of these, themselves included.
SELECT DISTINCT theirs.contact_id FROM json_each(:ids) AS wanted CROSS JOIN person_key AS mine ON mine.contact_id = wanted.value
CROSS JOIN person_key AS theirs ON theirs.key = mine.key LIMIT :limit + 0

-- name: contacts_not_alone
-- Those of these that are stored as one of several records of a person, or as one that may be.
SELECT contact.id FROM json_each(:ids) AS wanted CROSS JOIN contact ON contact.id = wanted.value
WHERE person IS DISTINCT FROM CAST(contact.id AS TEXT) OR vague <> '[]' OR namesakes <> 0

-- name: jobs_of_contacts
-- With what is decided on when the contact changes.
SELECT job.id, job.contact_id, job.field, job.state, job.reason, job.behind, contact.lacks FROM json_each(:ids) AS wanted
CROSS JOIN job ON job.contact_id = wanted.value CROSS JOIN contact ON contact.id = job.contact_id ORDER BY job.contact_id, job.field

-- name: contact_by_ref
SELECT * FROM contact WHERE connection = :connection AND object = :object AND ext_id = :ext_id

-- name: contacts_unasked
SELECT (SELECT count(*) FROM (SELECT 1 FROM contact INDEXED BY contact_unplanned WHERE planned = 0 LIMIT :limit + 0) AS page)
    + min(:limit, coalesce((SELECT max(n) FROM counter WHERE sync = :sync AND state = 'queued'), 0))

-- name: run_start
INSERT INTO run (sync, started_at) VALUES (:sync, :now) RETURNING id

-- name: runs_last
SELECT run.sync, run.started_at, run.ended_at FROM json_each_text(:syncs) AS wanted
CROSS JOIN run ON run.id = (SELECT max(newest.id) FROM run AS newest WHERE newest.sync = wanted.value)

-- name: run_page
UPDATE run SET contacts = contacts + :contacts, stale = stale + :stale WHERE id = :id

-- name: run_end
UPDATE run SET ended_at = :now, error = :error, last_contact = coalesce((SELECT max(id) FROM contact), 0) WHERE id = :id

-- ------------------------------------------------------------------ suppression: who is left alone

-- name: suppression_key
SELECT key FROM suppression_key

-- name: suppression_key_make
INSERT INTO suppression_key VALUES (:key)

-- name: suppression_kinds
-- Those of some kinds of which the list has an entry.
SELECT value FROM json_each_text(:kinds) AS wanted
WHERE EXISTS (SELECT 1 FROM suppression WHERE kind = wanted.value AND forgotten >= :forgotten)

-- name: suppression_add
-- What was forgotten stays forgotten; otherwise the first reason stands.
INSERT INTO suppression VALUES (:digest, :kind, :reason, :by, :now, :forgotten)
ON CONFLICT (digest) DO UPDATE SET forgotten = 1 WHERE excluded.forgotten > suppression.forgotten

-- name: suppression_remove
DELETE FROM suppression WHERE digest = :digest

-- name: suppressions
SELECT * FROM suppression ORDER BY at, digest

-- name: suppressions_of
SELECT suppression.* FROM json_each_text(:digests) AS wanted CROSS JOIN suppression ON suppression.digest = wanted.value

-- name: suppression_records
-- The records of the persons of some contacts, themselves included.
SELECT wanted.value AS contact_id, kin.id, kin.connection, kin.object, kin.ext_id, kin.identity, kin.vague, kin.learned
FROM json_each(:ids) AS wanted CROSS JOIN contact AS mine ON mine.id = wanted.value
CROSS JOIN contact AS kin ON kin.person = mine.person

-- name: contacts_of_jobs
SELECT DISTINCT job.contact_id FROM json_each(:ids) AS wanted CROSS JOIN job ON job.id = wanted.value

-- name: suppression_answers
-- What was found for some contacts.
SELECT job.contact_id, job.field, answer.candidates, answer.said FROM json_each(:ids) AS wanted
CROSS JOIN job ON job.contact_id = wanted.value CROSS JOIN answer ON answer.job_id = job.id WHERE answer.outcome = 'found'

-- name: suppression_replan_keys
-- Whoever holds one of these keys is decided on anew, with the person's other records.
UPDATE contact SET planned = 0 WHERE person IN (SELECT contact.person FROM json_each(:keys) AS wanted
    CROSS JOIN person_key ON person_key.key = wanted.value CROSS JOIN contact ON contact.id = person_key.contact_id)

-- name: suppression_replan_words
UPDATE contact SET planned = 0 WHERE person IN (SELECT contact.person FROM contact_words
    CROSS JOIN contact ON contact.id = contact_words.rowid WHERE contact_words MATCH :words)

-- name: suppression_replan_record
UPDATE contact SET planned = 0 WHERE person IN (SELECT person FROM contact
    WHERE connection = :connection AND object = :object AND ext_id = :ext_id)

-- name: suppression_replan_suppressed
-- An entry is gone: whoever was left alone is decided on anew.
UPDATE contact SET planned = 0 WHERE id IN (
    SELECT contact_id FROM job INDEXED BY job_ended WHERE state = 'done' AND reason = 'suppressed')

-- ------------------------------------------------------------------ forgetting a person
-- A command's work, for one person at a time. Whatever has a contact's or a job's id is deleted with it; a test sees that no
-- table is left out.

-- name: forget_contacts_of_persons
SELECT kin.id FROM json_each(:ids) AS wanted CROSS JOIN contact AS mine ON mine.id = wanted.value
CROSS JOIN contact AS kin ON kin.person = mine.person GROUP BY kin.id

-- name: forget_contacts_holding
-- Contacts for whom a value was found, or written. No index knows them by it: that would cost each contact, and spare 1.2 s of
-- CPU at a million contacts, once for each person who is forgotten; nothing waits for it.
SELECT contact_id FROM job WHERE lower(value) = :value
UNION SELECT job.contact_id FROM result JOIN job ON job.id = result.job_id
WHERE result.outcome = 'found' AND instr(lower(result.candidates), :value) > 0

-- name: persons_of_contacts
SELECT contact.person, min(contact.connection || '/' || contact.object || '/' || contact.ext_id) AS ref
FROM json_each(:ids) AS wanted CROSS JOIN contact ON contact.id = wanted.value GROUP BY contact.person ORDER BY ref

-- name: forget_jobs
SELECT job.* FROM json_each(:ids) AS wanted CROSS JOIN job ON job.contact_id = wanted.value ORDER BY job.id

-- name: forget_calls
-- The calls that asked about these jobs, each with its requests about them, and whether others are asked about in it.
SELECT attempt.submission_id, attempt.request_id, json_group_array(DISTINCT job.field) AS fields,
    EXISTS (SELECT 1 FROM attempt AS other WHERE other.submission_id = attempt.submission_id
        AND other.job_id NOT IN (SELECT value FROM json_each(:jobs))) AS shared
FROM json_each(:jobs) AS wanted CROSS JOIN question AS attempt ON attempt.job_id = wanted.value
JOIN job ON job.id = attempt.job_id GROUP BY attempt.submission_id, attempt.request_id

-- name: forget_in_the_way
-- What a process is about to do with these people: a call under way, an answer to be read, or something that it holds.
SELECT 'a call about them is being made' FROM json_each(:jobs) AS wanted CROSS JOIN job ON job.id = wanted.value
WHERE job.state = 'sending'
UNION ALL SELECT 'a value of theirs is being put back' FROM undo INDEXED BY undo_intent
WHERE state = 'intent' AND contact_id IN (SELECT value FROM json_each(:ids))
UNION ALL SELECT 'an answer about them waits to be read' FROM json_each_text(:calls) AS one
CROSS JOIN delivery ON delivery.submission_id = one.value WHERE delivery.state = 'received'
UNION ALL SELECT 'they are being worked on' FROM claim JOIN worker ON worker.owner = claim.owner AND worker.lease_until > ledger_time(:now)
WHERE (kind IN ('contact', 'record') AND item IN (SELECT CAST(value AS TEXT) FROM json_each(:ids)))
    OR (kind = 'job' AND item IN (SELECT CAST(value AS TEXT) FROM json_each(:jobs)))
    OR (kind = 'submission' AND item IN (SELECT value FROM json_each_text(:calls)))
    OR (kind = 'delivery' AND item IN (SELECT CAST(delivery.id AS TEXT) FROM json_each_text(:calls) AS one
        CROSS JOIN delivery ON delivery.submission_id = one.value))
LIMIT 1

-- name: forget_requests
INSERT INTO forgotten_request SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(:rows) WHERE true
ON CONFLICT DO NOTHING

-- name: forget_marks
-- What `syncd enrich` has left for the daemon.
DELETE FROM meta WHERE key IN (SELECT 'enrich_now:' || job.sync || ' ' || contact.connection || '/' || contact.object || '/' ||
    contact.ext_id FROM json_each(:ids) AS wanted JOIN contact ON contact.id = wanted.value JOIN job ON job.contact_id = contact.id)

-- name: forget_reviews
DELETE FROM review WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_results
DELETE FROM result WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_undos
DELETE FROM undo WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_writes
DELETE FROM write WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_attempts
DELETE FROM attempt WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_again
DELETE FROM again WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_steps
UPDATE step SET jobs = jobs - lost.n FROM (SELECT step_id, count(*) AS n FROM history
    WHERE job_id IN (SELECT value FROM json_each(:jobs)) GROUP BY step_id) AS lost WHERE step.id = lost.step_id

-- name: forget_history
-- How much goes with these jobs.
SELECT count(*) FROM history WHERE job_id IN (SELECT value FROM json_each(:jobs))

-- name: forget_jobs_themselves
DELETE FROM job WHERE id IN (SELECT value FROM json_each(:jobs))

-- name: forget_members
DELETE FROM member WHERE contact_id IN (SELECT value FROM json_each(:ids))

-- name: forget_keys
DELETE FROM person_key WHERE contact_id IN (SELECT value FROM json_each(:ids))

-- name: forget_words
DELETE FROM contact_words WHERE rowid IN (SELECT value FROM json_each(:ids))

-- name: forget_contacts_themselves
DELETE FROM contact WHERE id IN (SELECT value FROM json_each(:ids))

-- name: forget_deliveries
SELECT delivery.id, body, sample.text AS sample, state, received_at FROM delivery LEFT JOIN sample ON sample.id = sample_id
WHERE submission_id = :submission_id

-- name: forget_body
-- One that nobody has read yet would be read in vain.
UPDATE delivery SET body = :body, size = iif(:body = x'', size, length(:body)), sample_id = NULL,
    headers = iif(headers IS NULL, NULL, '{}'), ref = NULL, note = '',
    state = iif(state = 'received' AND :body = x'', 'surplus', state) WHERE id = :id

-- name: forget_bodies_of_results
UPDATE delivery SET body = x'', sample_id = NULL, headers = iif(headers IS NULL, NULL, '{}')
WHERE id IN (SELECT delivery_id FROM result WHERE result.id IN (SELECT value FROM json_each(:ids)))

-- name: forget_labels
UPDATE submission SET note = '' WHERE id IN (SELECT value FROM json_each_text(:calls)) AND note <> ''

-- name: forget_mentions
-- Answers to questions about other people that name one of these texts, and are not about those.
SELECT id, job_id FROM result WHERE verdict <> 'same' AND EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace
    WHERE instr(lower(result.candidates || result.said || coalesce(result.told, '') || result.note || result.doubt), trace.value) > 0)

-- name: forget_jobs_of_results
SELECT DISTINCT job_id FROM result WHERE id IN (SELECT value FROM json_each(:ids))

-- name: forget_said
UPDATE result SET candidates = '[]', said = '[]', note = '', doubt = iif(doubt = '', '', 'what it said was erased')
WHERE id IN (SELECT value FROM json_each(:ids))

-- name: forget_notes_of_jobs
UPDATE job SET note = '' WHERE id IN (SELECT value FROM json_each(:jobs)) AND EXISTS (
    SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(note), trace.value) > 0)

-- name: forget_why_of_reviews
UPDATE review SET why = 'what it said was erased' WHERE job_id IN (SELECT value FROM json_each(:jobs)) AND EXISTS (
    SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(why), trace.value) > 0)

-- name: forget_notes_of_steps
UPDATE step SET note = '' WHERE id IN (SELECT step_id FROM history WHERE job_id IN (SELECT value FROM json_each(:jobs)))
    AND EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(note), trace.value) > 0)

-- name: forget_in_breakers
UPDATE breaker SET refused = '[]', why = iif(why = '', '', 'what it said was erased')
WHERE EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(refused || why), trace.value) > 0)

-- name: forget_in_connections
UPDATE connection SET message = 'what it said was erased'
WHERE EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(message), trace.value) > 0)

-- name: forget_in_syncs
UPDATE sync_state SET words = 'what it said was erased'
WHERE EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(words), trace.value) > 0)

-- name: forget_in_alerts
UPDATE alert SET line = 'what it said was erased'
WHERE EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(line), trace.value) > 0)

-- name: forget_in_symptoms
UPDATE symptom SET why = 'what it said was erased'
WHERE EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(why), trace.value) > 0)

-- name: forget_in_runs
UPDATE run SET error = iif(error = '', '', 'what it said was erased'), note = iif(note = '', '', 'what it said was erased')
WHERE EXISTS (SELECT 1 FROM json_each_text(:traces) AS trace WHERE instr(lower(error || note), trace.value) > 0)

-- name: forgotten_requests
SELECT submission_id, request_id, fields FROM forgotten_request WHERE submission_id IN (SELECT value FROM json_each_text(:ids))

-- ------------------------------------------------------------------ selections: who belongs to a sync

-- name: selection_make
INSERT INTO selection (fingerprint) VALUES (:fingerprint) ON CONFLICT DO NOTHING

-- name: selection_get
SELECT * FROM selection WHERE fingerprint = :fingerprint

-- name: selections
SELECT * FROM selection

-- name: selection_sweep
UPDATE selection SET sweep = sweep + 1, sweeping = 1, cursor = NULL WHERE id = :id

-- name: selection_cursor
UPDATE selection SET cursor = :cursor WHERE id = :id

-- name: selection_swept
UPDATE selection SET sweeping = 0, swept_at = :now, brought = :brought, missing = :missing WHERE id = :id AND sweeping = 1

-- name: members_seen
-- The contacts of a page are in the selection; who was not so far is decided on.
INSERT INTO member (contact_id, selection_id, sweep)
SELECT contact.id, :selection, :sweep FROM json_each_text(:ids) AS wanted CROSS JOIN contact
    ON contact.connection = :connection AND contact.object = :object AND contact.ext_id = wanted.value
WHERE true ON CONFLICT (contact_id, selection_id) DO UPDATE SET sweep = excluded.sweep WHERE member.sweep <> excluded.sweep

-- name: contacts_seen
-- `pulled_at` is when the page was asked for: what happened later may not be in it.
UPDATE contact SET pulled_at = :at, planned = iif(EXISTS (
    SELECT 1 FROM member WHERE member.contact_id = contact.id AND member.selection_id = :selection), planned, 0)
WHERE id IN (SELECT contact.id FROM json_each_text(:ids) AS wanted CROSS JOIN contact
    ON contact.connection = :connection AND contact.object = :object AND contact.ext_id = wanted.value)

-- name: members_not_seen
-- Whom a full pull has not brought: filled, gone, or not selected any more.
SELECT contact_id FROM member WHERE contact_id > :after AND selection_id = :selection AND sweep < :sweep
ORDER BY contact_id LIMIT 500

-- name: contacts_unsure
-- Whoever could not be decided on before the selection was seen to its end.
UPDATE contact SET planned = 0 WHERE id IN (
    SELECT contact_id FROM job INDEXED BY job_waiting WHERE state = 'waiting' AND due_at >= :never)

-- name: members_missing
-- For whom something is still to be done.
SELECT count(DISTINCT contact_id) FROM job
WHERE contact_id IN (SELECT value FROM json_each(:ids)) AND state NOT IN ('done', 'review')

-- name: members_drop
DELETE FROM member WHERE selection_id = :selection AND contact_id IN (SELECT value FROM json_each(:ids))

-- name: members_left
DELETE FROM member WHERE contact_id IN (SELECT value FROM json_each(:ids))
    AND selection_id = (SELECT id FROM selection WHERE fingerprint = :fingerprint)

-- name: contacts_replan
UPDATE contact SET planned = 0 WHERE id IN (SELECT value FROM json_each(:ids))

-- ------------------------------------------------------------------ decisions: what they are taken on

-- name: contacts_undecided
-- The next to decide on: contacts that changed, then those of jobs that were answered, then those whose time has come.
SELECT json_group_array(id) FROM (SELECT id FROM contact INDEXED BY contact_unplanned WHERE planned = 0
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'contact' AND item = CAST(contact.id AS TEXT)) ORDER BY id LIMIT :limit + 0) AS page

-- name: contacts_answered
SELECT json_group_array(contact_id) FROM (SELECT contact_id FROM job INDEXED BY job_answered WHERE state = 'answered'
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'contact' AND item = CAST(job.contact_id AS TEXT)) ORDER BY job.id LIMIT :limit + 0) AS page

-- name: contacts_due
SELECT json_group_array(contact_id) FROM (SELECT job.contact_id FROM again JOIN job ON job.id = again.job_id WHERE again.at <= :now
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'contact' AND item = CAST(job.contact_id AS TEXT)) ORDER BY again.at LIMIT :limit + 0) AS page

-- name: cases_contacts
-- All of a contact that a decision depends on, in the order of `cases._Contact`; `cases_jobs`: of `cases._JobRow`,
-- `cases_results`: of `results.AnswerRow`.
SELECT json_group_array(json_array(contact.id, connection, object, ext_id, identity, person, lacks, blocked, became_at,
    pulled_at, vague, learned, planned, requested,
    (SELECT coalesce(json_group_array(selection_id) || CAST('' AS TEXT), '[]') FROM member WHERE member.contact_id = contact.id)))
FROM json_each(:ids) AS wanted CROSS JOIN contact ON contact.id = wanted.value

-- name: cases_jobs
SELECT json_group_array(json_array(job.id, contact_id, sync, field, state, reason, note, provider, round, job.value,
    destination, due_at, updated_at, retried_at, priority, (SELECT max(result.id) FROM result WHERE result.job_id = job.id))
    ORDER BY job.id) FROM json_each(:ids) AS wanted CROSS JOIN job ON job.contact_id = wanted.value

-- name: cases_results
SELECT json_group_array(json_array(answer.job_id, answer.id, provider, outcome, candidates, said, note, submission_id, way,
    told, asked_at, doubt, coalesce(review.decision, ''), review.until, review.why,
    review.value) ORDER BY answer.id) FROM json_each(:ids) AS wanted
JOIN answer ON answer.job_id = wanted.value LEFT JOIN review ON review.result_id = answer.id

-- name: cases_writes
-- What became of each value that was to be written to these contacts, or to records that were merged into theirs.
SELECT place.contact_id, place.field, write.state, write.before, write.after, write.property, write.result_id,
    coalesce(write.done_at, write.at) AS at, undo.done_at AS undone_at, undo.run_id AS undone_by
FROM (SELECT job.contact_id, job.field, write.id AS write_id FROM json_each(:ids) AS wanted
        CROSS JOIN job ON job.contact_id = wanted.value CROSS JOIN write ON write.job_id = job.id
    UNION ALL SELECT contact_id, field, write_id FROM json_each(:ids) AS wanted JOIN merged_write ON contact_id = wanted.value) AS place
CROSS JOIN write ON write.id = place.write_id LEFT JOIN undo ON undo.write_id = write.id AND undo.state = 'undone'
WHERE write.state IN ('written', 'cleared', 'unknown', 'duplicate_of', 'write_refused') ORDER BY write.id

-- name: cases_kin
-- The same person's other records that say not to fill some field.
SELECT wanted.value AS contact_id, kin.opt_out, kin.connection || '/' || kin.object || '/' || kin.ext_id AS ref
FROM json_each(:ids) AS wanted JOIN contact ON contact.id = wanted.value
JOIN contact AS kin INDEXED BY contact_opt_out ON kin.person = contact.person AND kin.opt_out <> '{}' AND kin.id <> contact.id

-- name: cases_holders
-- Records that hold one of these keys.
SELECT person_key.key, contact.id, contact.person,
    contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref
FROM json_each(:keys) AS wanted JOIN person_key ON person_key.key = wanted.value
JOIN contact ON contact.id = person_key.contact_id

-- name: contacts_decided
UPDATE contact SET planned = 1 WHERE id IN (SELECT value FROM json_each(:ids)) AND planned = 0

-- name: again_set
INSERT INTO again SELECT CAST(value ->> 0 AS INTEGER), CAST(value ->> 1 AS REAL) FROM jsonb_each(:rows) WHERE true ON CONFLICT (job_id) DO UPDATE SET at = excluded.at

-- name: again_over
DELETE FROM again WHERE at <= :now AND job_id IN (SELECT job.id FROM json_each(:ids) AS wanted JOIN job ON job.contact_id = wanted.value)

-- name: again_soon
-- Another policy: everything of a sync's field is decided on once more.
INSERT INTO again SELECT id, :now FROM job WHERE sync = :sync AND field = :field AND id BETWEEN :first AND :last
ON CONFLICT (job_id) DO UPDATE SET at = min(again.at, excluded.at)

-- name: again_members
-- A sync is new, and its selection is not.
INSERT INTO again SELECT job.id, :now FROM selection JOIN member ON member.selection_id = selection.id
JOIN job ON job.contact_id = member.contact_id WHERE selection.fingerprint = :selection AND job.id BETWEEN :first AND :last
ON CONFLICT (job_id) DO UPDATE SET at = min(again.at, excluded.at)

-- name: jobs_last
SELECT coalesce(max(id), 0) FROM job

-- name: job_adopt
-- Another sync looks after the contact now.
UPDATE job SET sync = :sync WHERE id = :id

-- name: counter_add
INSERT INTO counter VALUES (:sync, :field, :state, :reason, :n) ON CONFLICT (sync, field, state, reason) DO UPDATE SET n = counter.n + excluded.n

-- ------------------------------------------------------------------ the configuration that was last used

-- name: connections_known
SELECT * FROM known_connection

-- name: connection_known
INSERT INTO known_connection VALUES (:name, :mark) ON CONFLICT (name) DO UPDATE SET mark = excluded.mark

-- name: connection_forgotten
DELETE FROM known_connection WHERE name = :name

-- name: former_names
SELECT * FROM former_name

-- name: former_name_moves
UPDATE former_name SET name = :new WHERE name = :old

-- name: former_name_add
INSERT INTO former_name VALUES (:old, :new) ON CONFLICT (former) DO UPDATE SET name = excluded.name

-- name: rename_connection_in_contacts
UPDATE contact SET connection = :new WHERE connection = :old

-- name: rename_connection_in_jobs
UPDATE job SET provider = :new WHERE provider = :old

-- name: rename_connection_in_submissions
UPDATE submission SET provider = :new WHERE provider = :old

-- name: rename_connection_in_attempts
UPDATE attempt SET provider = :new WHERE provider = :old

-- name: rename_connection_in_results
UPDATE result SET provider = :new WHERE provider = :old

-- name: rename_connection_in_deliveries
UPDATE delivery SET provider = :new WHERE provider = :old

-- name: make_room_connection_in_memory
DELETE FROM memory WHERE connection = :new
    AND key IN (SELECT key FROM memory WHERE connection = :old)

-- name: rename_connection_in_memory
UPDATE memory SET connection = :new WHERE connection = :old

-- name: make_room_connection_in_balances
DELETE FROM balance WHERE provider = :new
    AND at IN (SELECT at FROM balance WHERE provider = :old)

-- name: rename_connection_in_balances
UPDATE balance SET provider = :new WHERE provider = :old

-- name: rename_connection_in_syncs
UPDATE sync SET crm = :new WHERE crm = :old

-- name: make_room_connection_in_connection
DELETE FROM connection WHERE name = :new AND EXISTS (SELECT 1 FROM connection WHERE name = :old)

-- name: rename_connection_in_connection
UPDATE connection SET name = :new WHERE name = :old

-- name: make_room_connection_in_spend
DELETE FROM spend WHERE provider = :new
    AND (slot, sync, field, run_id, refresh) IN (SELECT slot, sync, field, run_id, refresh FROM spend WHERE provider = :old)

-- name: rename_connection_in_spend
UPDATE spend SET provider = :new WHERE provider = :old

-- name: make_room_connection_in_totals
DELETE FROM credit_total WHERE provider = :new AND EXISTS (SELECT 1 FROM credit_total WHERE provider = :old)

-- name: rename_connection_in_totals
UPDATE credit_total SET provider = :new WHERE provider = :old

-- name: make_room_connection_in_prices
DELETE FROM dearest WHERE provider = :new
    AND field IN (SELECT field FROM dearest WHERE provider = :old)

-- name: rename_connection_in_prices
UPDATE dearest SET provider = :new WHERE provider = :old

-- name: make_room_connection_in_reconciliation
DELETE FROM reconciliation WHERE provider = :new AND EXISTS (SELECT 1 FROM reconciliation WHERE provider = :old)

-- name: rename_connection_in_reconciliation
UPDATE reconciliation SET provider = :new WHERE provider = :old

-- name: make_room_connection_in_breaker
DELETE FROM breaker WHERE connection = :new AND EXISTS (SELECT 1 FROM breaker WHERE connection = :old)

-- name: rename_connection_in_breaker
UPDATE breaker SET connection = :new WHERE connection = :old

-- name: make_room_connection_in_rates
DELETE FROM rate WHERE connection = :new
    AND (width, slot) IN (SELECT width, slot FROM rate WHERE connection = :old)

-- name: rename_connection_in_rates
UPDATE rate SET connection = :new WHERE connection = :old

-- name: make_room_connection_in_pauses
DELETE FROM pause WHERE kind = 'provider' AND name = :new AND EXISTS (SELECT 1 FROM pause WHERE kind = 'provider' AND name = :old)

-- name: rename_connection_in_pauses
UPDATE pause SET name = :new WHERE kind = 'provider' AND name = :old

-- name: make_room_connection_in_turns
DELETE FROM turn WHERE connection = :new
    AND sync IN (SELECT sync FROM turn WHERE connection = :old)

-- name: rename_connection_in_turns
UPDATE turn SET connection = :new WHERE connection = :old

-- name: syncs_known
SELECT * FROM sync

-- name: policies_known
SELECT * FROM policy

-- name: sync_keep
INSERT INTO sync VALUES (:name, :crm, :object, :selection)
ON CONFLICT (name) DO UPDATE SET crm = excluded.crm, object = excluded.object, selection = excluded.selection

-- name: sync_drop
DELETE FROM sync WHERE name = :name

-- name: policy_keep
INSERT INTO policy VALUES (:sync, :field, :fingerprint) ON CONFLICT (sync, field) DO UPDATE SET fingerprint = excluded.fingerprint

-- name: policy_drop
DELETE FROM policy WHERE sync = :sync AND (:field IS NULL OR field = :field)

-- name: rename_jobs
UPDATE job SET sync = :new WHERE sync = :old

-- name: rename_submissions
UPDATE submission SET sync = :new WHERE sync = :old

-- name: rename_runs
UPDATE run SET sync = :new WHERE sync = :old

-- name: make_room_turns
DELETE FROM turn WHERE sync = :new
    AND connection IN (SELECT connection FROM turn WHERE sync = :old)

-- name: rename_turns
UPDATE turn SET sync = :new WHERE sync = :old

-- name: make_room_sync_state
DELETE FROM sync_state WHERE sync = :new AND EXISTS (SELECT 1 FROM sync_state WHERE sync = :old)

-- name: rename_sync_state
UPDATE sync_state SET sync = :new WHERE sync = :old

-- name: make_room_pauses
DELETE FROM pause WHERE kind = 'sync' AND name = :new AND EXISTS (SELECT 1 FROM pause WHERE kind = 'sync' AND name = :old)

-- name: rename_pauses
UPDATE pause SET name = :new WHERE kind = 'sync' AND name = :old

-- name: make_room_write_rates
DELETE FROM rate WHERE connection = 'writes of ' || :new
    AND (width, slot) IN (SELECT width, slot FROM rate WHERE connection = 'writes of ' || :old)

-- name: rename_write_rates
UPDATE rate SET connection = 'writes of ' || :new WHERE connection = 'writes of ' || :old

-- name: rename_counters
INSERT INTO counter SELECT :new, field, state, reason, n FROM counter WHERE sync = :old
ON CONFLICT (sync, field, state, reason) DO UPDATE SET n = counter.n + excluded.n

-- name: drop_counters
DELETE FROM counter WHERE sync = :old

-- name: rename_spend
INSERT INTO spend SELECT slot, :new, provider, field, run_id, refresh, reserved_mc, charged_mc, assumed_mc, doubt_mc FROM spend
WHERE sync = :old ON CONFLICT (slot, sync, provider, field, run_id, refresh) DO UPDATE SET
    reserved_mc = spend.reserved_mc + excluded.reserved_mc, charged_mc = spend.charged_mc + excluded.charged_mc,
    assumed_mc = spend.assumed_mc + excluded.assumed_mc, doubt_mc = spend.doubt_mc + excluded.doubt_mc

-- name: drop_spend
DELETE FROM spend WHERE sync = :old

-- ------------------------------------------------------------------ dispatch: submissions and credits

-- name: candidates_waiting
-- Jobs whose turn it is at one provider, and that nobody holds.
SELECT json_group_array(id) FROM (SELECT job.id FROM job INDEXED BY job_queued JOIN contact ON contact.id = job.contact_id
    WHERE job.sync = :sync AND job.provider = :provider AND job.state = 'queued' AND contact.pulled_at > 0
        AND job.priority BETWEEN :at_least AND :at_most AND (:fields IS NULL OR job.field IN (SELECT value FROM json_each_text(:fields)))
        AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'job' AND item = CAST(job.id AS TEXT))
    ORDER BY job.priority DESC, job.id LIMIT :limit + 0) AS page

-- name: candidates
-- The same with what dispatch decides on, in the order of `candidates._Row`: who the contact is, the e-mail job of the same
-- contact, whether there are other records to think of.
SELECT json_group_array(json_array(job.id, job.field, job.person, job.round, job.provider, job.priority, job.updated_at,
    job.retried_at, contact.id, contact.connection, contact.object, contact.ext_id, contact.identity, contact.vague,
    contact.learned, contact.namesakes, contact.lacks, contact.blocked, contact.pulled_at, contact.became_at, mail.id, mail.state,
    iif(mail.updated_at > contact.became_at, mail.value, NULL),
    EXISTS (SELECT 1 FROM contact AS kin WHERE kin.person = contact.person AND kin.id <> contact.id))
    ORDER BY job.priority DESC, job.id)
FROM json_each(:ids) AS wanted CROSS JOIN job ON job.id = wanted.value CROSS JOIN contact ON contact.id = job.contact_id
LEFT JOIN job AS mail ON mail.contact_id = job.contact_id AND mail.field = 'email' AND job.field <> 'email'
WHERE job.sync = :sync AND job.provider = :provider AND job.state = 'queued'

-- name: candidates_heard
SELECT heard.job_id, heard.provider, heard.round, heard.way, heard.outcome, heard.submission_id, heard.asked_at
FROM json_each(:ids) AS wanted JOIN answer AS heard ON heard.job_id = wanted.value

-- name: candidates_asked
SELECT attempt.job_id, attempt.provider, attempt.round, attempt.way, attempt.live, attempt.asked, submission.state
FROM json_each(:ids) AS wanted JOIN question AS attempt ON attempt.job_id = wanted.value
JOIN submission ON submission.id = attempt.submission_id ORDER BY attempt.id

-- name: jobs_of_person
-- What the same person's other records wait for. A review that is waited for without end holds up nobody.
SELECT mine.id AS for_job, job.id, iif(job.state = 'review' AND job.due_at > 2e11, 'done', job.state) AS state, job.provider
FROM json_each(:ids) AS wanted CROSS JOIN job AS mine ON mine.id = wanted.value
CROSS JOIN contact AS kin ON kin.person = mine.person AND kin.id <> mine.contact_id
CROSS JOIN job ON job.contact_id = kin.id AND job.field = mine.field ORDER BY job.id

-- name: jobs_of_namesakes
-- The same of records that may be the same person: they share a key, and stand apart.
SELECT DISTINCT mine.id AS for_job, job.id, iif(job.state = 'review' AND job.due_at > 2e11, 'done', job.state) AS state,
    job.provider
FROM json_each(:ids) AS wanted JOIN job AS mine ON mine.id = wanted.value
JOIN person_key AS ours ON ours.contact_id = mine.contact_id
JOIN person_key AS theirs ON theirs.key = ours.key AND theirs.contact_id <> ours.contact_id
JOIN job ON job.contact_id = theirs.contact_id AND job.field = mine.field
WHERE job.person <> mine.person ORDER BY job.id

-- name: results_since
-- (In the order of `results.AnswerRow`. Each job with the moments from which misses and finds count.)
SELECT answer.job_id, answer.id, provider, outcome, candidates, said, note, submission_id, way, told, asked_at, doubt, '',
    NULL, NULL, NULL FROM jsonb_each(:wanted) AS wanted JOIN answer ON answer.job_id = CAST(wanted.value ->> 0 AS INTEGER)
WHERE (answer.outcome = 'found' AND answer.at > CAST(wanted.value ->> 2 AS REAL))
    OR (answer.outcome = 'not_found' AND answer.at > CAST(wanted.value ->> 1 AS REAL))
ORDER BY answer.id DESC

-- name: questions_asked
-- Who was asked the identical question lately, and what came of it: `result_id` of the newest answer. (Question,
-- provider, and the moments from which misses and finds count.)
SELECT attempt.question, attempt.job_id, job.state = 'sending' OR job.state = 'sent' OR job.state = 'in_doubt' AS under_way,
    (SELECT max(result.id) FROM result WHERE result.job_id = attempt.job_id
        AND result.submission_id = attempt.submission_id) AS result_id
FROM jsonb_each(:questions) AS wanted JOIN attempt INDEXED BY attempt_question
    ON attempt.question = CAST(wanted.value ->> 0 AS INTEGER) AND attempt.provider = wanted.value ->> 1
JOIN job ON job.id = attempt.job_id
WHERE attempt.live = 1 AND (attempt.created_at > CAST(wanted.value ->> 2 AS REAL)
    OR (attempt.created_at > CAST(wanted.value ->> 3 AS REAL) AND NOT EXISTS (SELECT 1 FROM result WHERE result.job_id = attempt.job_id
        AND result.submission_id = attempt.submission_id AND result.outcome = 'not_found'))
    OR (job.submission_id = attempt.submission_id AND job.state IN ('sending', 'sent', 'in_doubt'))) ORDER BY attempt.id

-- name: questions_taken
-- Asked lately, or so long ago that the answer would count no more, and there is none yet.
SELECT 1 FROM jsonb_each(:questions) AS wanted JOIN attempt INDEXED BY attempt_question
    ON attempt.question = CAST(wanted.value ->> 0 AS INTEGER) AND attempt.provider = wanted.value ->> 1
JOIN job ON job.id = attempt.job_id
WHERE attempt.live = 1 AND (attempt.created_at > CAST(wanted.value ->> 2 AS REAL)
    OR (attempt.created_at > CAST(wanted.value ->> 3 AS REAL) AND NOT EXISTS (SELECT 1 FROM result WHERE result.job_id = attempt.job_id
        AND result.submission_id = attempt.submission_id AND result.outcome = 'not_found'))
    OR (job.submission_id = attempt.submission_id AND job.state IN ('sending', 'sent', 'in_doubt'))) LIMIT 1

-- name: jobs_not_wanted
-- Since a job was chosen, it may be another provider's turn, the contact may have changed, and somebody else may ask
-- about the same person.
-- (pairs of job and round)
SELECT 1 FROM jsonb_each(:wanted) AS wanted JOIN job ON job.id = CAST(wanted.value ->> 0 AS INTEGER)
JOIN contact ON contact.id = job.contact_id
WHERE job.provider <> :provider OR job.round <> CAST(wanted.value ->> 1 AS INTEGER) OR job.sync <> :sync
OR (job.priority >= 0 AND NOT EXISTS (SELECT 1 FROM json_each_text(contact.lacks) AS lacks WHERE lacks.value = job.field))
OR EXISTS (SELECT 1 FROM json_each_text(contact.blocked) AS blocked WHERE blocked.key = job.field)
OR EXISTS (SELECT 1 FROM contact AS kin CROSS JOIN job AS other ON other.contact_id = kin.id AND other.field = job.field
    WHERE kin.person = job.person AND kin.id <> job.contact_id
    AND other.id <> job.id AND other.state IN ('sending', 'sent', 'in_doubt'))
OR (:by_person = 1 AND EXISTS (SELECT 1 FROM contact AS kin INDEXED BY contact_opt_out
    WHERE kin.person = contact.person AND kin.opt_out <> '{}'
    AND EXISTS (SELECT 1 FROM json_each_text(kin.opt_out) AS opted WHERE opted.key = job.field))) LIMIT 1

-- name: spent_since
-- Credits since a quarter hour (of the epoch) in a budget's scope (names, or NULL for all): what was charged, or is taken
-- as charged, and what is reserved at worst.
SELECT coalesce(sum(charged_mc + reserved_mc + assumed_mc), 0) AS mc, coalesce(sum(charged_mc), 0) AS charged_mc,
    coalesce(sum(reserved_mc), 0) AS reserved_mc, coalesce(sum(assumed_mc), 0) AS assumed_mc FROM spend
WHERE slot >= :slot AND (:syncs IS NULL OR sync IN (SELECT value FROM json_each_text(:syncs)))
    AND (:providers IS NULL OR provider IN (SELECT value FROM json_each_text(:providers)))
    AND (:fields IS NULL OR field IN (SELECT value FROM json_each_text(:fields))) AND refresh >= :refresh

-- name: spent_in_runs
-- The same of the newest run of each sync.
SELECT coalesce(sum(charged_mc + reserved_mc + assumed_mc), 0) AS mc, coalesce(sum(charged_mc), 0) AS charged_mc,
    coalesce(sum(reserved_mc), 0) AS reserved_mc, coalesce(sum(assumed_mc), 0) AS assumed_mc FROM spend
WHERE run_id IN (SELECT (SELECT max(id) FROM run WHERE run.sync = name) FROM (
        SELECT value AS name FROM json_each_text(:syncs) UNION ALL SELECT name FROM sync WHERE :syncs IS NULL) AS named)
    AND (:providers IS NULL OR provider IN (SELECT value FROM json_each_text(:providers)))
    AND (:fields IS NULL OR field IN (SELECT value FROM json_each_text(:fields))) AND refresh >= :refresh

-- name: runs_began
-- When the newest run of the syncs began; NULL if there was none.
SELECT min(started_at) AS at FROM run WHERE id IN (SELECT (SELECT max(id) FROM run WHERE run.sync = name) FROM (
    SELECT value AS name FROM json_each_text(:syncs) UNION ALL SELECT name FROM sync WHERE :syncs IS NULL) AS named)

-- name: spent_by_slot
SELECT slot, sum(charged_mc + reserved_mc + assumed_mc) AS mc FROM spend
WHERE slot >= :slot AND (:syncs IS NULL OR sync IN (SELECT value FROM json_each_text(:syncs)))
    AND (:providers IS NULL OR provider IN (SELECT value FROM json_each_text(:providers)))
    AND (:fields IS NULL OR field IN (SELECT value FROM json_each_text(:fields))) AND refresh >= :refresh GROUP BY slot

-- name: spent_first
-- The quarter hour of the first call at a provider.
SELECT slot FROM spend WHERE provider = :provider ORDER BY slot LIMIT 1

-- name: over_budget_note
INSERT INTO over_budget VALUES (:budget, :cap, :sync, :provider, :needs_mc, :now, :now)
ON CONFLICT (budget, cap, sync, provider, needs_mc) DO UPDATE SET at = excluded.at, since = iif(over_budget.at < :stale, excluded.since, over_budget.since)
RETURNING since >= at AS news

-- name: over_budget
-- Of what did not fit lately, and does not fit into what is left now, the least; what never will (`whole`) comes last.
SELECT needs_mc, min(since) AS since FROM over_budget WHERE budget = :budget AND cap = :cap AND at >= :since
    AND needs_mc > :left GROUP BY needs_mc ORDER BY needs_mc > :whole, needs_mc LIMIT 1

-- name: submissions_shares
SELECT id, shares FROM submission WHERE id IN (SELECT value FROM json_each_text(:ids))

-- name: asked_and_found
-- For each field of these calls: how many contacts it was asked for, and for how many it was found.
SELECT attempt.submission_id AS id, job.field, count(*) AS asked, sum(iif(EXISTS (SELECT 1 FROM result
    WHERE result.job_id = job.id AND result.submission_id = attempt.submission_id AND result.outcome = 'found'), 1, 0)) AS found
FROM json_each_text(:ids) AS wanted JOIN attempt ON attempt.submission_id = wanted.value JOIN job ON job.id = attempt.job_id
GROUP BY attempt.submission_id, job.field

-- name: dearest_prices
SELECT field, price_mc FROM dearest WHERE provider = :provider AND at >= :since

-- name: dearest_keep
INSERT INTO dearest VALUES (:provider, :field, :price_mc, :now)
ON CONFLICT (provider, field) DO UPDATE SET price_mc = iif(dearest.at >= :since, max(dearest.price_mc, excluded.price_mc), excluded.price_mc), at = excluded.at

-- name: fields_of_open_calls
-- What the calls of a provider ask for that are not over: how many fields of each kind.
WITH open (id) AS (
    SELECT id FROM submission INDEXED BY submission_open WHERE state IN ('accepted', 'in_doubt') AND provider = :provider
    UNION ALL SELECT id FROM submission INDEXED BY submission_intent WHERE state = 'intent' AND provider = :provider)
SELECT open.id, job.field, count(*) AS n FROM open
JOIN attempt ON attempt.submission_id = open.id JOIN job ON job.id = attempt.job_id GROUP BY open.id, job.field

-- name: submission_reserve
UPDATE submission SET reserved_mc = :reserved_mc, shares = :shares WHERE id = :id AND reserved_mc < :reserved_mc
    AND state IN ('intent', 'accepted', 'in_doubt')

-- name: calls_since
SELECT created_at FROM submission WHERE provider = :provider AND created_at > :since ORDER BY created_at

-- name: calls_latest
SELECT state FROM submission WHERE provider = :provider AND created_at BETWEEN :since AND :until
AND state IN ('accepted', 'expired', 'settled') ORDER BY created_at DESC LIMIT :limit + 0

-- name: submission_make
INSERT INTO submission (id, provider, sync, state, requests, reserved_mc, shares, created_at, deadline, owner, refresh, run_id)
VALUES (:id, :provider, :sync, 'intent', :requests, :reserved_mc, :shares, :now, :deadline, :owner, :refresh,
    coalesce((SELECT max(id) FROM run WHERE run.sync = :sync), 0))

-- name: attempts_make
-- What is asked now is about whom the record is about now, and asked since it is tried again, although the clock may have
-- been set back since.
INSERT INTO attempt (job_id, submission_id, request, provider, round, way, question, asked, created_at)
VALUES (:job_id, :submission_id, :request, :provider, :round, :way, :question, :asked, max(:at, coalesce((
    SELECT max(contact.became_at, job.retried_at) FROM job JOIN contact ON contact.id = job.contact_id WHERE job.id = :job_id), :at)))

-- name: attempts_of_submissions
-- In the order of `results.Attempt`.
SELECT json_group_array(json_array(attempt.job_id, attempt.submission_id, attempt.request_id, job.field, attempt.provider,
    attempt.round, attempt.way, attempt.asked, job.state, job.reason, job.submission_id, job.round, job.provider)
    ORDER BY attempt.id)
FROM json_each_text(:ids) AS wanted JOIN question AS attempt ON attempt.submission_id = wanted.value
JOIN job ON job.id = attempt.job_id

-- name: attempts_of_requests
-- The same of some requests (pairs of submission and what the request's id has of its own).
SELECT json_group_array(json_array(attempt.job_id, attempt.submission_id, attempt.request_id, job.field, attempt.provider,
    attempt.round, attempt.way, attempt.asked, job.state, job.reason, job.submission_id, job.round, job.provider)
    ORDER BY attempt.id)
FROM jsonb_each(:requests) AS wanted
JOIN question AS attempt ON attempt.submission_id = wanted.value ->> 0 AND attempt.request = wanted.value ->> 1
JOIN job ON job.id = attempt.job_id

-- name: requests_named
-- What was asked, and of whom (the same pairs), in the order of `submissions._Asked`; `known`: with what is known of them,
-- unless the record has become somebody else's since.
SELECT json_group_array(json_array(attempt.submission_id, attempt.request_id, attempt.asked, job.field, contact.connection,
    contact.object, contact.ext_id, iif(:known = 1 AND attempt.created_at >= contact.became_at, contact.identity, NULL),
    contact.vague, contact.learned, mail.value) ORDER BY attempt.id)
FROM jsonb_each(:wanted) AS wanted CROSS JOIN question AS attempt ON attempt.submission_id = wanted.value ->> 0 AND attempt.request = wanted.value ->> 1
JOIN job ON job.id = attempt.job_id JOIN contact ON contact.id = job.contact_id
LEFT JOIN job AS mail ON mail.contact_id = contact.id AND mail.field = 'email' AND mail.updated_at > contact.became_at

-- name: jobs_in_flight
-- Those that wait for some calls, those that stand alike in one row.
SELECT job.state, json_group_array(job.id) FROM json_each_text(:ids) AS wanted
CROSS JOIN job INDEXED BY job_flight ON job.submission_id = wanted.value AND job.state IN ('sending', 'sent', 'in_doubt')
GROUP BY job.state

-- name: requests_of_submissions
-- The same for all requests of some calls.
SELECT json_group_array(json_array(attempt.submission_id, attempt.request_id, attempt.asked, job.field, contact.connection,
    contact.object, contact.ext_id, iif(:known = 1 AND attempt.created_at >= contact.became_at, contact.identity, NULL),
    contact.vague, contact.learned, mail.value) ORDER BY attempt.id)
FROM json_each_text(:ids) AS wanted CROSS JOIN question AS attempt ON attempt.submission_id = wanted.value
JOIN job ON job.id = attempt.job_id JOIN contact ON contact.id = job.contact_id
LEFT JOIN job AS mail ON mail.contact_id = contact.id AND mail.field = 'email' AND mail.updated_at > contact.became_at

-- name: attempt_release
UPDATE attempt SET live = 0 WHERE submission_id = :submission_id

-- name: attempts_release
-- Pairs of submission and job.
UPDATE attempt SET live = 0 WHERE (submission_id, job_id) IN (SELECT value ->> 0, CAST(value ->> 1 AS INTEGER) FROM jsonb_each(:pairs))

-- name: submissions_get
SELECT id, state, provider_id FROM submission WHERE id IN (SELECT value FROM json_each_text(:ids))

-- name: submissions_unsure
-- Calls of which it was not known that they were accepted.
SELECT id FROM submission WHERE id IN (SELECT value FROM json_each_text(:ids)) AND state IN ('intent', 'in_doubt')

-- name: submissions_accepted
-- The provider's id is added whenever it comes; the state never goes down.
UPDATE submission SET
    state = CASE WHEN state IN ('intent', 'in_doubt') THEN 'accepted' ELSE state END, owner = NULL,
    provider_id = coalesce(provider_id, given.value ->> 1),
    poll_at = CASE WHEN coalesce(provider_id, given.value ->> 1) IS NULL THEN NULL
        ELSE coalesce(poll_at, CAST(given.value ->> 2 AS REAL)) END,
    deadline = CASE WHEN state = 'in_doubt' THEN max(deadline, CAST(given.value ->> 3 AS REAL)) ELSE deadline END
FROM jsonb_each(:rows) AS given WHERE submission.id = given.value ->> 0

-- name: submission_state
UPDATE submission SET state = :target, note = :note, deadline = coalesce(:deadline, deadline), owner = NULL
WHERE id = :id AND state = :source AND (CAST(:due AS REAL) IS NULL OR deadline <= :due)

-- name: submission_refused
UPDATE submission SET state = 'refused', reserved_mc = 0, note = :note, owner = NULL WHERE id = :id AND state = 'intent'

-- name: submissions_settled
-- The last word: what was charged replaces the reservation; where the charge is not told, it stays.
UPDATE submission SET state = 'settled', charged_mc = CAST(given.value ->> 1 AS INTEGER),
    reserved_mc = CASE WHEN CAST(given.value ->> 1 AS INTEGER) IS NULL THEN reserved_mc ELSE 0 END,
    assumed_mc = CASE WHEN CAST(given.value ->> 1 AS INTEGER) IS NULL THEN assumed_mc ELSE 0 END, poll_at = NULL,
    note = given.value ->> 2, shares = coalesce(given.value ->> 3, shares)
FROM jsonb_each(:rows) AS given WHERE submission.id = given.value ->> 0 AND state <> 'settled' RETURNING submission.id

-- name: submissions_more_charged
-- The charge was not told, or the provider had said that it failed, and charged nothing.
UPDATE submission SET charged_mc = CAST(given.value ->> 1 AS INTEGER), reserved_mc = 0, assumed_mc = 0,
    shares = coalesce(given.value ->> 3, shares)
FROM jsonb_each(:rows) AS given
WHERE submission.id = given.value ->> 0 AND state = 'settled' AND coalesce(charged_mc, 0) = 0

-- name: submissions_answered
UPDATE submission SET last_word = 1 WHERE id IN (SELECT value FROM json_each_text(:ids)) AND state = 'settled'

-- name: submission_failed
-- The provider failed, and did not tell its charge: it may still answer, and charge, until the deadline.
UPDATE submission SET state = 'failed', poll_at = NULL, note = :note, deadline = max(deadline, :deadline)
WHERE id = :id AND state IN ('accepted', 'expired')

-- name: submissions_failed_for_good
UPDATE submission SET state = 'settled', charged_mc = 0, reserved_mc = 0
WHERE id IN (SELECT id FROM submission INDEXED BY submission_failed WHERE state = 'failed' AND deadline <= :now LIMIT 500)

-- name: submissions_intended
-- Whose process has ended, or stands still. (A number that no process has is that of one that has ended.)
SELECT id, provider FROM submission WHERE state = 'intent' AND owner IS DISTINCT FROM :owner
    AND NOT EXISTS (SELECT 1 FROM worker WHERE worker.owner = submission.owner AND lease_until > ledger_time(:now))

-- name: submissions_to_poll
SELECT id FROM submission WHERE provider = :provider AND state = 'accepted' AND poll_at <= :now
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'submission' AND item = submission.id) ORDER BY poll_at LIMIT :limit + 0

-- name: submissions_open
SELECT (SELECT count(*) FROM submission WHERE state IN ('accepted', 'in_doubt') AND provider = :provider)
    + (SELECT count(*) FROM submission WHERE state = 'intent' AND provider = :provider)

-- name: submissions_poll_at
UPDATE submission SET poll_at = :poll_at WHERE id IN (SELECT value FROM json_each_text(:ids))

-- name: submission_poll_at
UPDATE submission SET poll_at = :poll_at WHERE id = :id

-- name: submissions_poll_now
UPDATE submission SET poll_at = :now WHERE provider = :provider AND state = 'accepted' AND poll_at IS NOT NULL

-- name: submissions_overdue
-- What is in doubt is over only where no person is asked (`ask`: names of providers) what is to be done.
SELECT id, provider, state FROM submission
WHERE state IN ('accepted', 'in_doubt') AND deadline <= :now
AND (state = 'accepted' OR provider NOT IN (SELECT value FROM json_each_text(:ask))) LIMIT 200

-- ------------------------------------------------------------------ inbox: deliveries and results

-- name: sample_known
SELECT id FROM sample WHERE text = :text

-- name: sample_add
INSERT INTO sample (text) VALUES (:text) RETURNING id

-- name: deliveries_known
-- Of these calls and digests, what is kept already.
SELECT json_group_array(json_array(delivery.id, submission_id, digest)) FROM jsonb_each(:rows) AS one
CROSS JOIN delivery ON submission_id = one.value ->> 0 AND digest = CAST(one.value ->> 1 AS INTEGER)

-- name: deliveries_kept
-- How many each of these calls has.
SELECT json_group_array(json_array(submission_id, n)) FROM (SELECT submission_id, count(*) AS n FROM delivery
    WHERE submission_id IN (SELECT value FROM json_each_text(:calls)) GROUP BY submission_id) AS kept

-- name: deliveries_add
-- Of a call about somebody who was erased, only what is still to be read is kept, until it is.
INSERT INTO delivery (
    provider, submission_id, source, digest, headers, state, body, sample_id, ref, field, part, note, received_at, size, repeats)
SELECT :provider, :submission_id, :source, :digest, :headers, :state, iif(of_forgotten AND :state <> 'received', x'', :body), :sample_id,
    iif(of_forgotten, NULL, :ref), :field, :part, :note, :now, :size, :repeats
FROM (SELECT EXISTS (SELECT 1 FROM forgotten_request WHERE submission_id = :submission_id) AS of_forgotten) AS known

-- name: deliveries_add [postgres]
-- (All of them at once, bytes in base64: see `Session.executemany`.)
INSERT INTO delivery (
    provider, submission_id, source, digest, headers, state, body, sample_id, ref, field, part, note, received_at, size, repeats)
SELECT value ->> 0, value ->> 1, value ->> 2, CAST(value ->> 3 AS INTEGER), value ->> 4, value ->> 5,
    iif(of_forgotten AND value ->> 5 <> 'received', x'', decode(value ->> 6, 'base64')), CAST(value ->> 7 AS INTEGER),
    iif(of_forgotten, NULL, value ->> 8), value ->> 9, value ->> 10, value ->> 11, CAST(value ->> 12 AS REAL),
    CAST(value ->> 13 AS INTEGER), CAST(value ->> 14 AS INTEGER)
FROM (SELECT value, EXISTS (SELECT 1 FROM forgotten_request WHERE submission_id = value ->> 1) AS of_forgotten
    FROM jsonb_each(:rows)) AS given

-- name: deliveries_repeated
UPDATE delivery SET repeats = repeats + CAST(given.value ->> 1 AS INTEGER) FROM jsonb_each(:rows) AS given
WHERE delivery.id = CAST(given.value ->> 0 AS INTEGER)

-- name: delivery_fetched
-- A callback was not taken as the last word, and a poll brings the same bytes: as a poll's answer they count.
UPDATE delivery SET source = 'poll', state = 'received', body = :body, sample_id = :sample_id
WHERE id = :id AND source <> 'poll' AND state = 'applied'
    AND EXISTS (SELECT 1 FROM submission WHERE submission.id = delivery.submission_id AND submission.state <> 'settled')

-- name: answers_expected
-- At most so many answers belong to a call; and is it settled?
SELECT (SELECT count(*) FROM attempt WHERE submission_id = :id) AS n,
    coalesce((SELECT iif(state = 'settled', 1, 0) FROM submission WHERE id = :id), 0) AS settled

-- name: deliveries_waiting
SELECT id, size AS bytes FROM delivery WHERE state = 'received'
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'delivery' AND item = CAST(delivery.id AS TEXT)) ORDER BY id LIMIT :limit + 0

-- name: deliveries_received
SELECT delivery.*, sample.text AS sample FROM json_each(:ids) AS wanted CROSS JOIN delivery ON delivery.id = wanted.value
LEFT JOIN sample ON sample.id = delivery.sample_id
WHERE delivery.state = 'received' ORDER BY delivery.id

-- name: spooled
-- In a spool: the callbacks that came first.
SELECT delivery.id, provider, submission_id, source, body, sample.text AS sample, ref, field, part, received_at
FROM delivery INDEXED BY delivery_todo LEFT JOIN sample ON sample.id = delivery.sample_id
WHERE delivery.state = 'received' ORDER BY delivery.id LIMIT :limit + 0

-- name: spooled_waiting
SELECT count(*) AS callbacks, coalesce(sum(size), 0) AS bytes, min(received_at) AS since
FROM delivery INDEXED BY delivery_todo WHERE state = 'received'

-- name: spooled_drop
DELETE FROM delivery WHERE id IN (SELECT value FROM json_each(:ids))

-- name: wake_inbox
-- One process alone works with a file, and wakes itself.
SELECT 1 WHERE false

-- name: wake_inbox [postgres]
SELECT pg_notify('syncd_inbox_' || md5(current_schema()), '')

-- name: deliveries_applied
-- Of a call about somebody who was erased, no body is kept.
UPDATE delivery SET state = 'applied', note = :note, body = iif(EXISTS (SELECT 1 FROM forgotten_request
    WHERE forgotten_request.submission_id = delivery.submission_id), x'', body)
WHERE id = :id AND state = 'received'

-- name: delivery_done
UPDATE delivery SET state = :state, note = :note, body = iif(EXISTS (SELECT 1 FROM forgotten_request
    WHERE forgotten_request.submission_id = delivery.submission_id), x'', body)
WHERE id = :id AND state = 'received'

-- name: had_last_word
-- Calls of which nothing more is expected.
SELECT id FROM submission WHERE id IN (SELECT value FROM json_each_text(:ids)) AND last_word = 1

-- name: surplus_of
SELECT count(*) FROM delivery WHERE submission_id = :id AND state = 'surplus'

-- name: delivery_drop
DELETE FROM delivery WHERE id = :id AND state = 'received'

-- name: results_add
-- Once: what says the same of the same question adds nothing.
INSERT INTO result (job_id, provider, round, outcome, submission_id, delivery_id, candidates, said, told, way, note,
    at, asked_at)
SELECT :job_id, :provider, :round, :outcome, :submission_id, :delivery_id, :candidates, :said, :told, :way, :note,
    :now, iif(:submission_id IS NULL, max(:now, (SELECT max(contact.became_at, job.retried_at) FROM job
        JOIN contact ON contact.id = job.contact_id WHERE job.id = :job_id)), NULL)
WHERE NOT EXISTS (SELECT 1 FROM result WHERE job_id = :job_id AND provider = :provider AND round = :round AND way = :way
    AND outcome = :outcome AND candidates = :candidates AND said = :said
    AND (outcome <> 'failed' OR submission_id IS NOT DISTINCT FROM :submission_id))
ON CONFLICT (job_id, delivery_id) DO NOTHING

-- name: result_copy
-- `asked_at` is now: the answer is to what would be asked now, of whom the record is about now.
INSERT INTO result (job_id, provider, round, submission_id, delivery_id, outcome, candidates, said, told, way, asked_at,
    doubt, note, at)
SELECT :job_id, provider, :round, submission_id, iif(EXISTS (SELECT 1 FROM result
        WHERE result.job_id = :job_id AND result.delivery_id = answer.delivery_id), NULL, delivery_id),
    outcome, candidates, said, told, :way, max(:now,
    (SELECT max(contact.became_at, job.retried_at) FROM job JOIN contact ON contact.id = job.contact_id WHERE job.id = :job_id)), :doubt,
    :note, at
FROM answer WHERE id = :id

-- name: evidence_add
INSERT INTO evidence (text) SELECT DISTINCT value ->> 2 FROM jsonb_each(:rows) WHERE true ON CONFLICT DO NOTHING

-- name: results_judged
UPDATE result SET verdict = given.value ->> 1, evidence_id = evidence.id
FROM jsonb_each(:rows) AS given JOIN evidence ON evidence.text = given.value ->> 2
WHERE result.id = CAST(given.value ->> 0 AS INTEGER) AND (verdict <> given.value ->> 1 OR evidence_id IS DISTINCT FROM evidence.id)

-- name: failures
SELECT count(*) FROM result WHERE job_id = :job_id AND provider = :provider AND round = :round AND outcome = 'failed'

-- name: results_of_job
SELECT answer.*, coalesce(review.decision, '') AS decision, review.until FROM answer
LEFT JOIN review ON review.result_id = answer.id WHERE answer.job_id = :job_id ORDER BY answer.id

-- ------------------------------------------------------------------ verify

-- ------------------------------------------------------------------ write-back

-- name: jobs_to_write
-- What is accepted and due, and what was begun and not brought to its end, of records that nobody holds.
-- While a write to a record is open, no other one of its fields is begun: where no history is told, our own change would
-- hide whether that one arrived.
SELECT json_group_array(json_array(id, contact_id, state, property)) FROM (
    SELECT job.id, job.contact_id, job.state, iif(job.destination <> '', job.destination, job.field) AS property
    FROM job INDEXED BY job_writeback
    WHERE job.sync = :sync AND job.state IN ('accepted', 'writing') AND job.due_at <= :now
        AND (job.state = 'writing' OR NOT EXISTS (SELECT 1 FROM job AS other
            WHERE other.contact_id = job.contact_id AND other.state = 'writing' AND other.due_at > :now))
        AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'record' AND item = CAST(job.contact_id AS TEXT))
        AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.contact_id = job.contact_id AND undo.state = 'intent')
    ORDER BY job.due_at, job.id LIMIT :limit + 0) AS due

-- name: writes_ready
-- How many records, since when, and whether a write was begun, of what `jobs_to_write` gives.
SELECT count(DISTINCT contact_id), min(updated_at), max(iif(state = 'writing', 1, 0)) FROM (
    SELECT job.contact_id, job.updated_at, job.state FROM job INDEXED BY job_writeback
    WHERE job.sync = :sync AND job.state IN ('accepted', 'writing') AND job.due_at <= :now
        AND (job.state = 'writing' OR NOT EXISTS (SELECT 1 FROM job AS other
            WHERE other.contact_id = job.contact_id AND other.state = 'writing' AND other.due_at > :now))
        AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'record' AND item = CAST(job.contact_id AS TEXT))
        AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.contact_id = job.contact_id AND undo.state = 'intent')
    ORDER BY job.due_at, job.id LIMIT :limit + 0) AS ready

-- name: writes_load
-- The same with all that a write is decided on, in the order of `writes._Row`. `before` and `seen` are of the intent that
-- is not resolved: what was seen then is what a race is judged against. `lost`: what was seen before a write of this value
-- of which nobody has looked whether it arrived.
SELECT json_group_array(json_array(job.id, job.contact_id, job.state, job.field, job.destination, job.value,
    job.updated_at, begun.before, begun.seen,
    contact.connection, contact.object, contact.ext_id, contact.identity, contact.vague, contact.learned,
    (SELECT answer.said FROM answer WHERE answer.id = job.result_id), result.verdict,
    iif(review.why = 'approval', '', coalesce(review.decision, '')),
    iif(job.field <> 'email', mail.value, NULL), job.result_id,
    (SELECT min(seen) FROM (SELECT seen, after, state FROM write WHERE write.job_id = job.id
        UNION ALL SELECT seen, after, state FROM merged_write JOIN write ON write.id = merged_write.write_id
        WHERE merged_write.contact_id = job.contact_id AND merged_write.field = job.field) AS lost
        WHERE lost.state = 'unknown' AND lost.after = job.value)) ORDER BY job.due_at, job.id)
FROM json_each(:ids) AS wanted CROSS JOIN job ON job.id = wanted.value
CROSS JOIN contact ON contact.id = job.contact_id LEFT JOIN result ON result.id = job.result_id
LEFT JOIN review ON review.result_id = job.result_id
LEFT JOIN job AS mail ON mail.contact_id = contact.id AND mail.field = 'email' AND mail.updated_at > contact.became_at
    AND mail.reason <> 'undone'
LEFT JOIN write AS begun ON begun.job_id = job.id AND begun.state = 'intent'
WHERE job.state IN ('accepted', 'writing')

-- name: jobs_accepted_as
-- Those for which still the same value is accepted. (Job, value, field of the property, answer.)
SELECT json_group_array(job.id) FROM jsonb_each(:values) AS wanted
JOIN job ON job.id = CAST(wanted.value ->> 0 AS INTEGER)
WHERE job.state = 'accepted' AND job.value = wanted.value ->> 1
    AND iif(job.destination <> '', job.destination, job.field) = wanted.value ->> 2
    AND job.result_id IS NOT DISTINCT FROM CAST(wanted.value ->> 3 AS INTEGER)

-- name: writes_of_contacts_postpone
UPDATE job SET due_at = max(due_at, :due_at) WHERE state IN ('accepted', 'writing') AND state = 'writing'
    AND contact_id IN (SELECT value FROM json_each(:contacts))

-- name: writes_of_ours
-- What was written to the records of these jobs, the newest first. `stands`: it was not put back.
SELECT place.job_id, write.property, write.after, write.seen, NOT EXISTS (
    SELECT 1 FROM undo WHERE undo.write_id = write.id AND undo.state = 'undone') AS stands
FROM (SELECT wanted.value AS job_id, write.id AS write_id FROM json_each(:ids) AS wanted CROSS JOIN write ON write.job_id = wanted.value
    UNION ALL SELECT job.id, write_id FROM json_each(:ids) AS wanted CROSS JOIN job ON job.id = wanted.value
        JOIN merged_write ON merged_write.contact_id = job.contact_id AND merged_write.field = job.field) AS place
CROSS JOIN write ON write.id = place.write_id WHERE write.state = 'written' ORDER BY place.job_id, write.id DESC

-- name: writes_waiting
-- A failed write moves its job back and forth: how long a value waits is told by when it was found.
SELECT count(*) FROM (SELECT 1 FROM job WHERE sync = :sync AND state IN ('accepted', 'writing') AND EXISTS (
    SELECT 1 FROM result WHERE result.job_id = job.id AND result.outcome = 'found' AND result.at <= :before) LIMIT :limit + 0) AS waiting

-- name: writes_make
-- An intent that is open stays the only one.
INSERT INTO write (job_id, before, after, seen, property, policy, basis, record, state, at, run_id, result_id)
SELECT CAST(given.value ->> 0 AS INTEGER), given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4, given.value ->> 5,
    given.value ->> 6, given.value ->> 7, 'intent', :now, coalesce((SELECT max(run.id) FROM run WHERE run.sync = job.sync), 0), job.result_id
FROM jsonb_each(:rows) AS given CROSS JOIN job ON job.id = CAST(given.value ->> 0 AS INTEGER)
WHERE true ON CONFLICT (job_id) WHERE state = 'intent' DO NOTHING

-- name: writes_merged
-- Records of open writes were merged into others. (Job, the other record's id.)
UPDATE write SET record = given.value ->> 1
FROM jsonb_each(:rows) AS given WHERE write.job_id = CAST(given.value ->> 0 AS INTEGER) AND write.state = 'intent'

-- name: writes_arrived
-- Writes that were lost have arrived, and were cleared since.
UPDATE write SET state = 'cleared', note = :note WHERE job_id IN (SELECT value FROM json_each(:ids)) AND state = 'unknown'

-- name: values_standing
-- The newest value of each field that was written and not put back, or is being written; and what was found for it last,
-- if that was later (`again`).
SELECT job.id AS job_id, job.contact_id, job.field, job.destination, write.after, write.state, write.run_id,
    coalesce(write.done_at, write.at) AS at, result.provider, result.candidates, contact.identity,
    again.candidates AS again, again.at AS again_at
FROM json_each(:contacts) AS wanted CROSS JOIN contact ON contact.id = wanted.value
CROSS JOIN job ON job.contact_id = contact.id
JOIN write ON write.id = (SELECT max(newest.id) FROM write AS newest WHERE newest.job_id = job.id
    AND newest.state IN ('written', 'intent')
    AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.write_id = newest.id AND undo.state = 'undone'))
LEFT JOIN result ON result.id = write.result_id
LEFT JOIN result AS again ON again.id = (SELECT max(newer.id) FROM result AS newer WHERE newer.job_id = job.id
    AND newer.outcome = 'found' AND newer.verdict = 'same' AND newer.at > write.done_at)
ORDER BY job.contact_id, job.id

-- name: to_tell_again
UPDATE contact SET to_tell = 1 WHERE id IN (SELECT value FROM json_each(:ids))

-- name: to_tell
-- Whose provenance in the CRM is to be renewed, and of whom nothing is under way: a write would tell it as well.
SELECT contact.id, contact.ext_id FROM contact INDEXED BY contact_to_tell
WHERE contact.to_tell = 1 AND contact.connection = :connection AND contact.object = :object
    AND NOT EXISTS (SELECT 1 FROM job WHERE job.contact_id = contact.id AND job.state IN ('accepted', 'writing'))
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'record' AND item = CAST(contact.id AS TEXT))
ORDER BY contact.id LIMIT :limit + 0

-- name: told
UPDATE contact SET to_tell = 0 WHERE id IN (SELECT value FROM json_each(:ids))

-- name: opted_out_elsewhere
-- The same person's other record that says not to fill a field (triples of job, contact, field).
SELECT CAST(wanted.value ->> 0 AS INTEGER) AS job_id, min(kin.connection || '/' || kin.object || '/' || kin.ext_id) AS ref
FROM jsonb_each(:wanted) AS wanted JOIN contact ON contact.id = CAST(wanted.value ->> 1 AS INTEGER)
JOIN contact AS kin INDEXED BY contact_opt_out
    ON kin.person = contact.person AND kin.opt_out <> '{}' AND kin.id <> contact.id
WHERE EXISTS (SELECT 1 FROM json_each_text(kin.opt_out) WHERE key = wanted.value ->> 2) GROUP BY 1

-- name: sync_state
SELECT * FROM sync_state WHERE sync = :sync

-- name: sync_confirmed
INSERT INTO sync_state (sync, policy, confirmed_at) VALUES (:sync, :policy, :now)
ON CONFLICT (sync) DO UPDATE SET policy = excluded.policy, confirmed_at = excluded.confirmed_at, refused = 0, words = '',
    probes = 0, probe_at = 0

-- name: sync_refused
INSERT INTO sync_state (sync, refused, words, probes, probe_at) VALUES (:sync, :refused, :words, :probes, :probe_at)
ON CONFLICT (sync) DO UPDATE SET refused = excluded.refused, words = excluded.words, probes = excluded.probes,
    probe_at = excluded.probe_at

-- name: sync_probe_at
UPDATE sync_state SET probe_at = :probe_at WHERE sync = :sync AND probe_at = :seen

-- name: contacts_on_their_way
-- For whom something was bought that may still be written.
SELECT count(DISTINCT contact_id) FROM (
    SELECT contact_id FROM job INDEXED BY job_flight
    WHERE submission_id > '' AND state IN ('sending', 'sent', 'in_doubt') AND state <> 'in_doubt' AND sync = :sync
    UNION ALL SELECT contact_id FROM job INDEXED BY job_answered WHERE state = 'answered' AND sync = :sync
    UNION ALL SELECT contact_id FROM job INDEXED BY job_writeback WHERE state IN ('accepted', 'writing') AND sync = :sync) AS bought

-- name: contacts_perhaps_bought_for
-- The same, and those of whom nobody knows whether they were bought, as long as their answer may come.
SELECT count(DISTINCT contact_id) FROM (
    SELECT contact_id FROM job INDEXED BY job_flight
    WHERE submission_id > '' AND state IN ('sending', 'sent', 'in_doubt') AND sync = :sync
        AND (state <> 'in_doubt' OR updated_at > :doubtful_since)
    UNION ALL SELECT contact_id FROM job INDEXED BY job_answered WHERE state = 'answered' AND sync = :sync
    UNION ALL SELECT contact_id FROM job INDEXED BY job_writeback WHERE state IN ('accepted', 'writing') AND sync = :sync) AS bought

-- name: contacts_among
-- Those of these jobs, without the ones who are among those for whom something was perhaps bought.
SELECT count(DISTINCT job.contact_id) FROM json_each(:jobs) AS wanted JOIN job ON job.id = wanted.value
WHERE NOT EXISTS (SELECT 1 FROM job AS other WHERE other.contact_id = job.contact_id AND other.sync = :sync
    AND (other.state IN ('sending', 'sent', 'answered', 'accepted', 'writing')
        OR (other.state = 'in_doubt' AND other.updated_at > :doubtful_since)))

-- name: is_under_way
-- May an answer come soon, or be accepted?
SELECT 1 FROM job INDEXED BY job_flight
WHERE submission_id > '' AND state IN ('sending', 'sent', 'in_doubt') AND state <> 'in_doubt' AND sync = :sync
UNION ALL SELECT 1 FROM job INDEXED BY job_answered WHERE state = 'answered' AND sync = :sync LIMIT 1

-- name: may_bring_more
-- The same, or is anybody to be asked about, or to be decided on?
SELECT 1 FROM counter WHERE sync = :sync AND state = 'queued' AND n > 0
UNION ALL SELECT 1 FROM contact INDEXED BY contact_unplanned WHERE planned = 0
UNION ALL SELECT 1 FROM job INDEXED BY job_answered WHERE state = 'answered' AND sync = :sync
UNION ALL SELECT 1 FROM job INDEXED BY job_flight
WHERE submission_id > '' AND state IN ('sending', 'sent', 'in_doubt') AND state <> 'in_doubt' AND sync = :sync LIMIT 1

-- name: writes_due
-- The rule by which they were refused is gone.
UPDATE job SET due_at = :now WHERE sync = :sync AND state IN ('accepted', 'writing') AND state = 'accepted' AND due_at > :now

-- name: writes_refused
-- How often the CRM has refused to take a value, and since when.
SELECT job_id, count(*) AS times, min(at) AS since FROM write
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND state = 'refused' GROUP BY job_id

-- name: jobs_postpone
UPDATE job SET due_at = :due_at WHERE id IN (SELECT value FROM json_each(:ids)) AND state = +:state

-- name: writes_without_sync
SELECT id FROM job INDEXED BY job_writeback
WHERE state IN ('accepted', 'writing') AND state = 'writing' AND sync NOT IN (SELECT value FROM json_each_text(:syncs))

-- name: writes_postpone
UPDATE job SET due_at = max(due_at, :due_at) WHERE state IN ('accepted', 'writing') AND state = 'writing'

-- name: writes_close
UPDATE write SET state = given.value ->> 1, note = given.value ->> 2, done_at = :now
FROM jsonb_each(:rows) AS given WHERE write.job_id = CAST(given.value ->> 0 AS INTEGER) AND write.state = 'intent'

-- ------------------------------------------------------------------ undo

-- name: writes_of_contact
-- Our values that may be put back, those of each property together, the newest first. `later`: a newer one that stands.
SELECT write.*, job.contact_id, job.field, job.destination, job.sync, contact.connection, contact.object, contact.ext_id,
    contact.identity, result.provider, EXISTS (SELECT 1 FROM write AS newer WHERE newer.job_id = write.job_id AND newer.id > write.id
        AND newer.property = write.property AND newer.state = 'written'
        AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.write_id = newer.id AND undo.state IN ('asked', 'intent', 'undone'))) AS later
FROM job CROSS JOIN write ON write.job_id = job.id JOIN contact ON contact.id = job.contact_id
LEFT JOIN result ON result.id = write.result_id
WHERE job.contact_id = :contact_id AND write.state = 'written' AND (CAST(:run AS INTEGER) IS NULL OR write.run_id = :run)
    AND (:sync IS NULL OR job.sync = :sync) AND (CAST(:since AS REAL) IS NULL OR write.at >= :since) AND (CAST(:until AS REAL) IS NULL OR write.at < :until)
    AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.write_id = write.id AND undo.state IN ('asked', 'intent', 'undone'))
ORDER BY write.job_id, write.property, write.id DESC

-- name: writes_of_runs
SELECT write.*, job.contact_id, job.field, job.destination, job.sync, contact.connection, contact.object, contact.ext_id,
    contact.identity, result.provider, EXISTS (SELECT 1 FROM write AS newer WHERE newer.job_id = write.job_id AND newer.id > write.id
        AND newer.property = write.property AND newer.state = 'written'
        AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.write_id = newer.id AND undo.state IN ('asked', 'intent', 'undone'))) AS later
FROM write INDEXED BY write_run JOIN job ON job.id = write.job_id JOIN contact ON contact.id = job.contact_id
LEFT JOIN result ON result.id = write.result_id
WHERE write.run_id BETWEEN :first AND :last AND write.state = 'written' AND (CAST(:run AS INTEGER) IS NULL OR write.run_id = :run)
    AND (:sync IS NULL OR job.sync = :sync) AND (CAST(:since AS REAL) IS NULL OR write.at >= :since) AND (CAST(:until AS REAL) IS NULL OR write.at < :until)
    AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.write_id = write.id AND undo.state IN ('asked', 'intent', 'undone'))
ORDER BY write.job_id, write.property, write.id DESC

-- name: run_first_since
-- The oldest run in which a sync may have written at this moment or later.
SELECT min(newest) FROM (SELECT coalesce(max(iif(started_at <= :since, id, NULL)), min(id)) AS newest
    FROM run WHERE sync <> '' GROUP BY sync) AS page

-- name: undo_start
INSERT INTO run (sync, kind, started_at, contacts, note) VALUES ('', 'undo', :now, :contacts, :note) RETURNING id

-- name: undos_ask
INSERT INTO undo (write_id, run_id, job_id, contact_id, head, back, at)
SELECT CAST(value ->> 0 AS INTEGER), CAST(value ->> 1 AS INTEGER), CAST(value ->> 2 AS INTEGER), CAST(value ->> 3 AS INTEGER), CAST(value ->> 4 AS INTEGER), value ->> 5, :now FROM jsonb_each(:rows)
WHERE true ON CONFLICT DO NOTHING

-- name: undos_due
-- While a write to a record is open, nothing of it is put back, and the other way round.
SELECT undo.contact_id FROM undo INDEXED BY undo_open JOIN contact ON contact.id = undo.contact_id
WHERE undo.due_at <= :now AND undo.state IN ('asked', 'intent') AND undo.write_id = undo.head
    AND contact.connection = :connection
    AND NOT EXISTS (SELECT 1 FROM job WHERE job.contact_id = undo.contact_id AND job.state = 'writing')
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'record' AND item = CAST(undo.contact_id AS TEXT))
ORDER BY undo.due_at LIMIT :limit + 0

-- name: undos_load
SELECT undo.*, write.after, write.property, write.seen AS read_before, job.field, job.destination,
    (SELECT max(named.basis) FROM job AS mine JOIN write AS named ON named.job_id = mine.id
        WHERE mine.contact_id = undo.contact_id) AS basis,
    contact.connection, contact.object, contact.ext_id, contact.identity
FROM json_each(:ids) AS wanted CROSS JOIN job ON job.contact_id = wanted.value CROSS JOIN write ON write.job_id = job.id
CROSS JOIN undo ON undo.write_id = write.id AND undo.head = undo.write_id AND undo.state IN ('asked', 'intent')
JOIN contact ON contact.id = undo.contact_id WHERE undo.due_at <= :now
    AND NOT EXISTS (SELECT 1 FROM job AS other WHERE other.contact_id = undo.contact_id AND other.state = 'writing')
ORDER BY undo.write_id

-- name: undos_set
-- What became of undos (head, run, state, stamp, note, when it is due), and of what was put back with them.
UPDATE undo SET state = given.value ->> 2, seen = given.value ->> 3, note = given.value ->> 4, due_at = CAST(given.value ->> 5 AS REAL),
    done_at = :now
FROM jsonb_each(:rows) AS given CROSS JOIN undo AS part INDEXED BY undo_head ON part.head = CAST(given.value ->> 0 AS INTEGER)
    AND part.run_id = CAST(given.value ->> 1 AS INTEGER) AND part.state IN ('asked', 'intent')
WHERE undo.write_id = part.write_id AND undo.run_id = part.run_id

-- name: undos_postpone
UPDATE undo SET due_at = :due_at WHERE write_id IN (SELECT value FROM json_each(:heads)) AND state = 'intent'

-- name: undos_postpone_all
UPDATE undo SET due_at = max(due_at, :due_at) WHERE state IN ('asked', 'intent') AND state = 'intent'

-- name: undos_end
-- An undo of which nothing is left to do has ended.
UPDATE run INDEXED BY run_undo SET ended_at = :now WHERE kind = 'undo' AND ended_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM undo WHERE undo.run_id = run.id AND undo.state IN ('asked', 'intent'))

-- name: undos_open
-- How many values will be put back by themselves.
SELECT count(*) FROM undo INDEXED BY undo_open JOIN contact ON contact.id = undo.contact_id
WHERE undo.state IN ('asked', 'intent') AND contact.connection IN (SELECT crm FROM sync)
    AND contact.connection NOT IN (SELECT name FROM connection WHERE trouble <> '')

-- name: undos_stop
-- What was to be put back by an undo, and is not being put back at this moment.
UPDATE undo SET state = 'kept', note = :note, done_at = :now WHERE run_id = :run AND state = 'asked'
    AND NOT EXISTS (SELECT 1 FROM claim WHERE kind = 'record' AND item = CAST(undo.contact_id AS TEXT))
RETURNING contact_id

-- name: undo_counts
SELECT state, count(*) AS n FROM undo WHERE run_id = :run AND write_id = head GROUP BY state

-- name: undo_left
SELECT note, count(*) AS n FROM undo WHERE run_id = :run AND write_id = head AND state IN ('kept', 'gone', 'refused')
GROUP BY note ORDER BY n DESC

-- ------------------------------------------------------------------ reviews

-- name: reviews_open
INSERT INTO review (result_id, job_id, value, why, until, opened_at)
SELECT CAST(value ->> 0 AS INTEGER), CAST(value ->> 1 AS INTEGER), value ->> 2, value ->> 3, CAST(value ->> 4 AS REAL), :now FROM jsonb_each(:rows) WHERE true
ON CONFLICT (result_id) DO UPDATE SET value = excluded.value, why = excluded.why, until = excluded.until,
    decision = iif(review.why = 'approval', '', review.decision)  -- another value, or another question about it

-- name: reviews_decide
-- Those of these that still wait; where a value stands beside the id, only as long as that is what waits.
UPDATE review SET decision = :decision, decided_at = :now, decided_by = :by FROM jsonb_each(:rows) AS shown
WHERE review.result_id = CAST(shown.value ->> 0 AS INTEGER) AND review.decision = ''
    AND coalesce(shown.value ->> 1, review.value) = review.value
    AND EXISTS (SELECT 1 FROM job WHERE job.id = review.job_id AND job.state = 'review')
RETURNING review.result_id, review.job_id

-- name: run_accepted
SELECT accepted FROM run WHERE sync = :sync ORDER BY id DESC LIMIT 1

-- name: run_accepts
UPDATE run SET accepted = :n WHERE id = (SELECT max(id) FROM run WHERE sync = :sync)

-- name: reviews_waiting
-- Values that a person should look at, oldest first.
SELECT * FROM waiting_review ORDER BY opened_at, result_id

-- name: reviews_outlined
-- All that wait, in short.
SELECT json_group_array(json_array(result_id, held_job, submission_id, ref, sync, field, provider, value, why, replaces))
FROM waiting_review

-- name: reviews_outlined_named
-- Those of these answers that still wait, in short.
SELECT json_group_array(json_array(result_id, held_job, submission_id, ref, sync, field, provider, value, why, replaces))
FROM waiting_review WHERE result_id IN (SELECT value FROM json_each(:ids))
AND held_job IN (SELECT review.job_id FROM json_each(:ids) AS wanted JOIN review ON review.result_id = wanted.value)

-- name: reviews_named
-- Those of these answers that still wait.
SELECT * FROM waiting_review WHERE result_id IN (SELECT value FROM json_each(:ids))
AND held_job IN (SELECT review.job_id FROM json_each(:ids) AS wanted JOIN review ON review.result_id = wanted.value)
ORDER BY opened_at, result_id

-- name: reviews_of_job
SELECT * FROM review WHERE job_id = :job_id ORDER BY result_id

-- name: vague_contacts
SELECT count(*) FROM contact INDEXED BY contact_vague WHERE vague <> '[]'

-- ------------------------------------------------------------------ connections, memory, tallies

-- name: connection_get
SELECT * FROM connection WHERE name = :name

-- name: connections
SELECT * FROM connection ORDER BY name

-- name: connection_halt
INSERT INTO connection (name, trouble, message, cure, since) VALUES (:name, :trouble, :message, :cure, :now)
ON CONFLICT (name) DO UPDATE SET trouble = excluded.trouble, message = excluded.message, cure = excluded.cure,
    since = CASE WHEN connection.trouble = '' THEN excluded.since ELSE connection.since END

-- name: connection_clear
UPDATE connection SET trouble = '', message = '', cure = '', since = NULL WHERE name = :name AND trouble <> ''

-- name: connection_windows
INSERT INTO connection (name, windows) VALUES (:name, :windows) ON CONFLICT (name) DO UPDATE SET windows = excluded.windows

-- name: connection_balance
INSERT INTO connection (name, balance, balance_at) VALUES (:name, :balance, :now)
ON CONFLICT (name) DO UPDATE SET balance = excluded.balance, balance_at = excluded.balance_at

-- name: connection_account
-- The first account that a connection is seen with stays; returns it.
INSERT INTO connection (name, account) VALUES (:name, :account)
ON CONFLICT (name) DO UPDATE SET account = iif(connection.account = '', excluded.account, connection.account) RETURNING account

-- name: breaker_get
SELECT * FROM breaker WHERE connection = :connection

-- name: breakers_shut
SELECT * FROM breaker WHERE why <> '' OR short IS NOT NULL ORDER BY connection

-- name: breaker_set
INSERT INTO breaker (connection, why, opened_at, doubted_at, next_look_at, looks, doubts, trials, seen_down,
    trial, kind, refused, halts, lift_at, short, balance, short_at)
VALUES (:connection, :why, :opened_at, :doubted_at, :next_look_at, :looks, :doubts, :trials, :seen_down, :trial, :kind,
    :refused, :halts, :lift_at, :short, :balance, :short_at)
ON CONFLICT (connection) DO UPDATE SET why = excluded.why, opened_at = excluded.opened_at, doubted_at =
    excluded.doubted_at, next_look_at = excluded.next_look_at, looks = excluded.looks, doubts = excluded.doubts,
    trials = excluded.trials, seen_down = excluded.seen_down, trial = excluded.trial, kind = excluded.kind, refused =
    excluded.refused, halts = excluded.halts, lift_at = excluded.lift_at, short = excluded.short, balance =
    excluded.balance, short_at = excluded.short_at

-- name: jobs_refused_alone
-- The queued jobs of a call, and how often each was refused in a call of its own.
SELECT job.id, (SELECT count(*) FROM attempt AS again JOIN submission ON submission.id = again.submission_id
    WHERE again.job_id = job.id AND again.provider = attempt.provider AND submission.state = 'refused'
        AND submission.note LIKE :prefix) AS times
FROM attempt JOIN job ON job.id = attempt.job_id WHERE attempt.submission_id = :submission_id AND job.state = 'queued'

-- name: turns
SELECT sync, used FROM turn WHERE connection = :connection

-- name: turn_add
INSERT INTO turn VALUES (:connection, :sync, CAST(:least AS REAL) + :more)
ON CONFLICT (connection, sync) DO UPDATE SET used = max(turn.used, :least) + :more

-- name: new_waits
SELECT 1 FROM job INDEXED BY job_queued
WHERE state = 'queued' AND sync = :sync AND provider = :provider AND priority > 0 LIMIT 1

-- name: memory_all
SELECT key, value FROM memory WHERE connection = :connection

-- name: memory_keep
INSERT INTO memory VALUES (:connection, :key, :value) ON CONFLICT (connection, key) DO UPDATE SET value = excluded.value

-- name: tally_add
INSERT INTO tally VALUES (:name, :n) ON CONFLICT (name) DO UPDATE SET n = tally.n + excluded.n

-- ------------------------------------------------------------------ reports

-- name: newest_event
SELECT max(id) FROM step

-- name: jobs_to_retry
-- Of those that a person wants to be decided on again: what is not under way outside, or what waits for anything.
SELECT job.id FROM json_each(:ids) AS wanted CROSS JOIN job ON job.id = wanted.value
WHERE job.state NOT IN ('sending', 'sent', 'in_doubt', 'writing') AND (:waiting = 0 OR job.state <> 'done') ORDER BY job.id

-- name: refresh_portion_end
SELECT max(id) FROM (SELECT id FROM job WHERE id > :after ORDER BY id LIMIT :limit + 0) AS portion

-- name: refresh_due
-- Values of ours that were neither written nor asked about since the moment from which that is long ago (by sync and field).
SELECT job.id, job.contact_id, job.sync, job.field, job.destination, job.value, job.round, contact.connection, contact.object,
    contact.ext_id, contact.identity FROM job JOIN contact ON contact.id = job.contact_id
JOIN jsonb_each(:ages) AS age ON age.value ->> 0 = job.sync AND age.value ->> 1 = job.field
WHERE job.id > :after AND job.id <= :until AND job.state = 'done' AND job.reason = 'written' AND job.value IS NOT NULL
    AND (SELECT max(coalesce(write.done_at, write.at)) FROM write WHERE write.job_id = job.id AND write.state = 'written') <= CAST(age.value ->> 2 AS REAL)
    AND coalesce((SELECT max(result.at) FROM result WHERE result.job_id = job.id), 0) <= CAST(age.value ->> 2 AS REAL)
ORDER BY job.id

-- name: refresh_waiting
SELECT count(*) FROM job INDEXED BY job_queued
WHERE job.sync = :sync AND job.provider = :provider AND job.state = 'queued' AND job.priority < 0

-- name: refresh_begin
UPDATE job SET priority = -1, retried_at = :now WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'done'

-- name: retry_jobs
UPDATE job SET retried_at = :now, due_at = iif(due_at >= 2e11, due_at, min(due_at, :now))
WHERE id IN (SELECT value FROM json_each(:ids)) AND state NOT IN ('sending', 'sent', 'in_doubt', 'writing', 'review')

-- name: retry_questions
-- A question that was asked in vain may be asked in the same words.
UPDATE attempt SET live = 0 WHERE live = 1 AND job_id IN (SELECT value FROM json_each(:ids))
AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = attempt.job_id AND job.state IN ('sending', 'sent', 'in_doubt'))
AND NOT EXISTS (SELECT 1 FROM result WHERE result.job_id = attempt.job_id
    AND result.submission_id = attempt.submission_id AND result.outcome = 'found')

-- name: retry_soon
INSERT INTO again SELECT value, :now FROM json_each(:ids) WHERE true ON CONFLICT (job_id) DO UPDATE SET at = min(again.at, excluded.at)

-- ------------------------------------------------------------------ search: contacts by words and by what became of them
-- Each finds pairs of contact and job, newest first, from `:before` on; they differ in where they begin to look.

-- name: words_set
INSERT OR REPLACE INTO contact_words (rowid, words) SELECT CAST(value ->> 0 AS INTEGER), value ->> 1 FROM jsonb_each(:rows)

-- name: words_set [postgres]
-- SQLite's full-text index knows no ON CONFLICT.
INSERT INTO contact_words (rowid, words) SELECT CAST(value ->> 0 AS INTEGER), word_vector(value ->> 1) FROM jsonb_each(:rows)
WHERE true ON CONFLICT (rowid) DO UPDATE SET words = excluded.words

-- name: words_are_known
SELECT 1 FROM contact_words WHERE contact_words MATCH :words LIMIT 1

-- name: found_by_words
-- The fields of a contact come in the order of the index `job_key`.
SELECT contact_words.rowid AS contact_id, job.id AS job_id FROM contact_words LEFT JOIN job ON job.contact_id = contact_words.rowid
WHERE contact_words MATCH :words AND contact_words.rowid <= :contact
AND NOT (contact_words.rowid = :contact AND (job.id IS NULL OR job.field <= (SELECT field FROM job WHERE id = :before))) AND (:state IS NULL OR job.state = :state)
AND (:reason IS NULL OR job.reason = :reason) AND (:sync IS NULL OR job.sync = :sync)
AND (:field IS NULL OR job.field = :field) AND (:provider IS NULL OR job.provider = :provider)
AND (CAST(:since AS REAL) IS NULL OR job.updated_at >= :since) ORDER BY contact_words.rowid DESC LIMIT :limit + 0

-- name: found_by_id
-- Contacts whose id begins like this, in one place or in all that are configured.
SELECT contact.id AS contact_id, job.id AS job_id FROM (SELECT DISTINCT crm, object FROM sync) AS place
CROSS JOIN contact ON contact.connection = place.crm AND contact.object = place.object
    AND contact.ext_id >= :first AND contact.ext_id < :last
LEFT JOIN job ON job.contact_id = contact.id
WHERE (:connection IS NULL OR place.crm = :connection) AND (:object IS NULL OR place.object = :object)
AND contact.id <= :contact AND NOT (contact.id = :contact AND coalesce(job.id, 0) >= :before) AND (:state IS NULL OR job.state = :state)
AND (:reason IS NULL OR job.reason = :reason) AND (:sync IS NULL OR job.sync = :sync)
AND (:field IS NULL OR job.field = :field) AND (:provider IS NULL OR job.provider = :provider)
AND (CAST(:since AS REAL) IS NULL OR job.updated_at >= :since) ORDER BY contact.id DESC, job.id DESC LIMIT :limit + 0

-- name: found_by_reason
SELECT job.contact_id, job.id AS job_id FROM job INDEXED BY job_ended WHERE job.state = 'done' AND job.reason = :reason AND job.id < :before
AND (:state IS NULL OR :state = 'done')
AND (:reason IS NULL OR job.reason = :reason) AND (:sync IS NULL OR job.sync = :sync)
AND (:field IS NULL OR job.field = :field) AND (:provider IS NULL OR job.provider = :provider)
AND (CAST(:since AS REAL) IS NULL OR job.updated_at >= :since) ORDER BY job.id DESC LIMIT :limit + 0

-- name: found_by_state
-- What is under way, by the small index of each state; and what ended since a moment.
SELECT job.contact_id, job.id AS job_id FROM (
    SELECT id FROM job INDEXED BY job_queued WHERE (:state IS NULL OR :state = 'queued') AND state = 'queued'
    UNION ALL SELECT id FROM job INDEXED BY job_waiting WHERE (:state IS NULL OR :state = 'waiting') AND state = 'waiting'
    UNION ALL SELECT id FROM job INDEXED BY job_flight WHERE (:state IS NULL OR :state IN ('sending', 'sent', 'in_doubt'))
        AND state IN ('sending', 'sent', 'in_doubt')
    UNION ALL SELECT id FROM job INDEXED BY job_answered WHERE (:state IS NULL OR :state = 'answered') AND state = 'answered'
    UNION ALL SELECT id FROM job INDEXED BY job_review WHERE (:state IS NULL OR :state = 'review') AND state = 'review'
    UNION ALL SELECT id FROM job INDEXED BY job_writeback WHERE (:state IS NULL OR :state IN ('accepted', 'writing'))
        AND state IN ('accepted', 'writing')
    UNION ALL SELECT id FROM job INDEXED BY job_thick WHERE (:state IS NULL OR :state = 'done') AND CAST(:since AS REAL) IS NOT NULL
        AND state = 'done' AND thinned = 0
        AND CAST(floor(updated_at / 3600) AS INTEGER) >= CAST(floor(CAST(:since AS REAL) / 3600) AS INTEGER)
) AS picked CROSS JOIN job ON job.id = picked.id
WHERE job.id < :before AND (:state IS NULL OR job.state = :state)
AND (:reason IS NULL OR job.reason = :reason) AND (:sync IS NULL OR job.sync = :sync)
AND (:field IS NULL OR job.field = :field) AND (:provider IS NULL OR job.provider = :provider)
AND (CAST(:since AS REAL) IS NULL OR job.updated_at >= :since) ORDER BY job.id DESC LIMIT :limit + 0

-- name: found_in_order
SELECT job.contact_id, job.id AS job_id FROM job WHERE job.id < :before AND (:state IS NULL OR job.state = :state)
AND (:reason IS NULL OR job.reason = :reason) AND (:sync IS NULL OR job.sync = :sync)
AND (:field IS NULL OR job.field = :field) AND (:provider IS NULL OR job.provider = :provider)
AND (CAST(:since AS REAL) IS NULL OR job.updated_at >= :since) ORDER BY job.id DESC LIMIT :limit + 0

-- name: found_count
SELECT coalesce(sum(n), 0) FROM counter WHERE (:state IS NULL OR state = :state) AND (:reason IS NULL OR reason = :reason)
AND (:sync IS NULL OR sync = :sync) AND (:field IS NULL OR field = :field)

-- name: found_rows
SELECT contact.id AS contact_id, contact.connection, contact.object, contact.ext_id, contact.identity, job.id AS job_id, job.sync,
    job.field, job.state, job.reason, job.note, job.provider, job.value, job.updated_at
FROM jsonb_each(:pairs) AS wanted CROSS JOIN contact ON contact.id = CAST(wanted.value ->> 0 AS INTEGER)
LEFT JOIN job ON job.id = CAST(wanted.value ->> 1 AS INTEGER)

-- name: found_fields
SELECT contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref, job.field
FROM json_each(:ids) AS wanted CROSS JOIN job ON job.id = wanted.value JOIN contact ON contact.id = job.contact_id

-- name: places
SELECT DISTINCT crm, object FROM sync
WHERE EXISTS (SELECT 1 FROM contact WHERE contact.connection = sync.crm AND contact.object = sync.object)
ORDER BY crm, object

-- name: contacts_of_calls
SELECT attempt.submission_id, contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref
FROM json_each_text(:ids) AS wanted CROSS JOIN question AS attempt ON attempt.submission_id = wanted.value
JOIN job ON job.id = attempt.job_id JOIN contact ON contact.id = job.contact_id
GROUP BY 1, 2 ORDER BY 1, min(attempt.id)

-- name: planned
-- What was decided since, and what waits to be asked about; of these jobs, where some are named.
SELECT job.id, contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref, job.sync, job.field, job.state,
    job.reason, job.note, job.provider
FROM job JOIN contact ON contact.id = job.contact_id
WHERE (job.state = 'queued' OR job.id IN (SELECT job_id FROM history WHERE step_id > :since))
AND (:ids IS NULL OR job.id IN (SELECT value FROM json_each(:ids))) ORDER BY job.id LIMIT :limit + 0

-- name: planned_totals
-- The same, counted.
SELECT job.sync, job.field, iif(job.state IN ('queued', 'sending'), job.provider, NULL) AS provider,
    iif(job.state IN ('queued', 'sending'), NULL, coalesce(nullif(job.reason, ''), job.state)) AS reason, count(*) AS contacts
FROM job
WHERE (job.state = 'queued' OR job.id IN (SELECT job_id FROM history WHERE step_id > :since))
AND (:ids IS NULL OR job.id IN (SELECT value FROM json_each(:ids))) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3 DESC NULLS LAST, 4

-- ------------------------------------------------------------------ daily: what `syncd report` counts

-- name: daily_newest
SELECT coalesce((SELECT max(id) FROM result), 0) AS answers, coalesce((SELECT max(id) FROM write), 0) AS writes,
    (SELECT min(write.id) FROM write INDEXED BY write_open WHERE write.state = 'intent') AS open

-- name: daily_answers
-- What became of the questions that these rows of `result` answer.
SELECT day, sync, field, provider, sum(found) AS found, sum(missed) AS missed, sum(unanswered) AS unanswered,
    sum(verified) AS verified, sum(contradicted) AS contradicted, sum(first) AS asked_first,
    sum(first * found) AS found_first, 0 AS written, 0 AS refused, quarter, sum(1 - unanswered) AS n FROM answered
WHERE id > :after AND id <= :until GROUP BY day, sync, field, provider, quarter

-- name: daily_writes
-- What became of these rows of `write`.
SELECT day, sync, field, provider, 0 AS found, 0 AS missed, 0 AS unanswered, 0 AS verified, 0 AS contradicted,
    0 AS asked_first, 0 AS found_first, sum(written) AS written, sum(refused) AS refused, 0 AS quarter, 0 AS n
FROM ended_write WHERE id > :after AND id <= :until GROUP BY day, sync, field, provider

-- name: daily_refusals
-- A person has refused the values of these answers.
SELECT CAST(floor(:now / 86400) AS INTEGER) AS day, job.sync, job.field, result.provider, count(*) AS n
FROM json_each(:ids) AS refused CROSS JOIN result ON result.id = refused.value JOIN job ON job.id = result.job_id
GROUP BY job.sync, job.field, result.provider

-- name: daily_add
INSERT INTO daily VALUES (:day, :sync, :field, :provider, :found, :missed, :unanswered, :verified, :contradicted,
    :asked_first, :found_first, :written, :refused)
ON CONFLICT (day, sync, field, provider) DO UPDATE SET found = daily.found + excluded.found, missed = daily.missed + excluded.missed,
    unanswered = daily.unanswered + excluded.unanswered, verified = daily.verified + excluded.verified,
    contradicted = daily.contradicted + excluded.contradicted, asked_first = daily.asked_first + excluded.asked_first,
    found_first = daily.found_first + excluded.found_first, written = daily.written + excluded.written,
    refused = daily.refused + excluded.refused

-- name: daily_add_latency
INSERT INTO daily_latency VALUES (:day, :sync, :field, :provider, :quarter, :n)
ON CONFLICT (day, sync, field, provider, quarter) DO UPDATE SET n = daily_latency.n + excluded.n

-- name: daily_counted
SELECT day, sync, field, provider, found, missed, unanswered, verified, contradicted, asked_first, found_first, written,
    refused, 0 AS quarter, 0 AS n FROM daily WHERE day BETWEEN :first AND :last

-- name: daily_latencies
SELECT day, sync, field, provider, quarter, n FROM daily_latency WHERE day BETWEEN :first AND :last

-- name: daily_spent
-- What calls of these days were charged, or count as charged. A day has 96 quarter hours.
SELECT slot / 96 AS day, sync, field, provider, sum(charged_mc + assumed_mc) AS spent_mc, sum(reserved_mc) AS reserved_mc
FROM spend WHERE slot BETWEEN :first * 96 AND :last * 96 + 95 GROUP BY 1, 2, 3, 4

-- name: rename_daily
INSERT INTO daily SELECT day, :new, field, provider, found, missed, unanswered, verified, contradicted, asked_first,
    found_first, written, refused FROM daily WHERE sync = :old
ON CONFLICT (day, sync, field, provider) DO UPDATE SET found = daily.found + excluded.found, missed = daily.missed + excluded.missed,
    unanswered = daily.unanswered + excluded.unanswered, verified = daily.verified + excluded.verified,
    contradicted = daily.contradicted + excluded.contradicted, asked_first = daily.asked_first + excluded.asked_first,
    found_first = daily.found_first + excluded.found_first, written = daily.written + excluded.written,
    refused = daily.refused + excluded.refused

-- name: rename_daily_latency
INSERT INTO daily_latency SELECT day, :new, field, provider, quarter, n FROM daily_latency WHERE sync = :old
ON CONFLICT (day, sync, field, provider, quarter) DO UPDATE SET n = daily_latency.n + excluded.n

-- name: drop_daily
DELETE FROM daily WHERE sync = :old

-- name: drop_daily_latency
DELETE FROM daily_latency WHERE sync = :old

-- name: make_room_connection_in_daily
DELETE FROM daily WHERE provider = :new
    AND (day, sync, field) IN (SELECT day, sync, field FROM daily WHERE provider = :old)

-- name: rename_connection_in_daily
UPDATE daily SET provider = :new WHERE provider = :old

-- name: make_room_connection_in_daily_latency
DELETE FROM daily_latency WHERE provider = :new
    AND (day, sync, field, quarter) IN (SELECT day, sync, field, quarter FROM daily_latency WHERE provider = :old)

-- name: rename_connection_in_daily_latency
UPDATE daily_latency SET provider = :new WHERE provider = :old

-- name: answers_counted
-- How often each provider found a field, of those questions that it answered.
SELECT result.provider, job.field, count(*) AS asked, sum(iif(result.outcome = 'found', 1, 0)) AS found
FROM result JOIN job ON job.id = result.job_id WHERE result.outcome IN ('found', 'not_found') GROUP BY 1, 2

-- name: pulled_since
SELECT coalesce(sum(contacts), 0) FROM run WHERE id > :run

-- name: run_newest
SELECT coalesce(max(id), 0) FROM run

-- name: counts
SELECT sync, field, state, reason, n FROM counter WHERE n > 0 ORDER BY sync, field, state, reason

-- name: reviews_by_reason
-- Of so many jobs that wait, those with the nearest deadline first.
SELECT review.why, count(*) AS n, min(review.opened_at) AS since
FROM (SELECT id FROM job INDEXED BY job_review WHERE state = 'review' ORDER BY due_at LIMIT :most + 0) AS held
JOIN review ON review.job_id = held.id AND review.decision = '' GROUP BY review.why ORDER BY since

-- name: doubts_by_provider
SELECT provider, count(*) AS calls, sum(reserved_mc) AS reserved_mc, min(created_at) AS since
FROM submission INDEXED BY submission_doubt WHERE state = 'in_doubt' GROUP BY provider

-- name: sweeps
-- What the last whole pull of each sync brought, and did not bring.
SELECT sync.name, selection.brought, selection.missing, selection.swept_at FROM sync
JOIN selection ON selection.fingerprint = sync.selection WHERE selection.swept_at IS NOT NULL ORDER BY sync.name

-- name: syncs_refused
SELECT sync, refused, words FROM sync_state WHERE refused > 0 ORDER BY sync

-- name: answers_lately
-- Of the newest answers about somebody: how many were somebody else's.
SELECT provider, count(*) AS judged, sum(iif(verdict = 'other', 1, 0)) AS other FROM result
WHERE id > (SELECT max(id) FROM result) - 1000 AND verdict <> '' AND at >= :since GROUP BY provider

-- name: pulled_at
-- When a sync was last pulled to its end.
SELECT ended_at FROM run WHERE sync = :sync AND error = '' AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1

-- name: heads
-- Since when the first of each queue waits; the first one, not the oldest, is what an index tells at once.
SELECT (SELECT received_at FROM delivery INDEXED BY delivery_todo WHERE state = 'received' ORDER BY id LIMIT 1) AS inbox,
    (SELECT pulled_at FROM contact INDEXED BY contact_unplanned WHERE planned = 0 ORDER BY id LIMIT 1) AS plan,
    (SELECT updated_at FROM job INDEXED BY job_answered WHERE state = 'answered' ORDER BY id LIMIT 1) AS answered,
    (SELECT created_at FROM submission INDEXED BY submission_open WHERE state IN ('accepted', 'in_doubt')
        ORDER BY deadline LIMIT 1) AS sent,
    (SELECT min(created_at) FROM submission INDEXED BY submission_doubt WHERE state = 'in_doubt') AS in_doubt

-- name: head_of_queue
SELECT updated_at FROM job INDEXED BY job_queued WHERE state = 'queued' AND sync = :sync AND provider = :provider
ORDER BY priority DESC, id LIMIT 1

-- name: head_of_writes
SELECT min(due_at) FROM job INDEXED BY job_writeback WHERE state IN ('accepted', 'writing') AND sync = :sync

-- name: inbox_length
SELECT count(*) FROM delivery INDEXED BY delivery_todo WHERE state = 'received'

-- name: marks_like
SELECT key, value FROM meta WHERE key >= :prefix AND key < :prefix || '~'

-- name: symptoms
SELECT kind, who, min(why) AS why, min(cure) AS cure, min(since) AS since FROM symptom GROUP BY kind, who ORDER BY kind, who

-- name: symptoms_of_others
SELECT kind, who, min(why) AS why, min(cure) AS cure, min(since) AS since FROM symptom WHERE owner <> :owner
GROUP BY kind, who ORDER BY kind, who

-- name: symptoms_empty
DELETE FROM symptom WHERE owner = :owner

-- name: symptoms_forget
DELETE FROM symptom

-- name: symptoms_expire
DELETE FROM symptom WHERE owner NOT IN (SELECT owner FROM worker)

-- name: symptom_add
INSERT INTO symptom VALUES (:owner, :kind, :who, :why, :cure, :since)

-- name: alerts
SELECT * FROM alert

-- name: alerts_empty
DELETE FROM alert

-- name: alert_add
INSERT INTO alert VALUES (:target, :kind, :who, :detail, :line, :since, :told_at, :over_at)

-- name: tallies
SELECT name, n FROM tally ORDER BY name

-- name: credits_by_provider
SELECT * FROM credit_total ORDER BY provider

-- name: runs_latest
-- Of each sync the newest, found by its name's next one in the index: years of runs are not read.
WITH RECURSIVE named (sync) AS (SELECT min(sync) FROM run WHERE sync > ''
    UNION ALL SELECT (SELECT min(run.sync) FROM run WHERE run.sync > named.sync) FROM named WHERE named.sync IS NOT NULL)
SELECT run.* FROM named CROSS JOIN run WHERE run.id = (SELECT max(id) FROM run WHERE run.sync = named.sync)

-- name: jobs_of_contact
SELECT * FROM job WHERE contact_id = :contact_id ORDER BY field

-- name: events_of_job
SELECT * FROM event WHERE job_id = :job_id ORDER BY id

-- name: attempts_of_job
SELECT attempt.*, submission.state, submission.provider_id, submission.requests, submission.reserved_mc,
    submission.charged_mc, submission.note
FROM question AS attempt JOIN submission ON submission.id = attempt.submission_id WHERE attempt.job_id = :job_id ORDER BY attempt.id

-- name: deliveries_of_submission
SELECT id, source, state, note, repeats, received_at, iif(sample_id IS NULL OR length(body) = 0, length(body), size) AS bytes FROM delivery
WHERE submission_id = :submission_id ORDER BY id

-- name: writes_of_job
-- Each value with the answer that it is from, why it was accepted, who has decided on it, and whether it was put back.
SELECT write.*, result.provider, result.submission_id, review.decided_by, undo.run_id AS undo_run, undo.state AS undo_state,
    undo.back, undo.note AS undo_note, coalesce(undo.done_at, undo.at) AS undo_at,
    (SELECT step.note FROM history JOIN step ON step.id = history.step_id WHERE history.job_id = write.job_id
        AND step.source = 'answered' AND step.target = 'accepted' AND step.at <= write.at ORDER BY step.id DESC LIMIT 1) AS found
FROM write LEFT JOIN result ON result.id = write.result_id
LEFT JOIN review ON review.result_id = write.result_id AND review.decision = 'accepted'
LEFT JOIN undo ON undo.write_id = write.id AND undo.run_id = (SELECT max(u.run_id) FROM undo AS u WHERE u.write_id = write.id)
WHERE write.job_id = :job_id ORDER BY write.id

-- name: costs_of_calls
-- Whom each of these calls asked about, what of it was found, and what it was charged in all.
SELECT submission.id AS submission_id, submission.provider, attempt.job_id, job.field,
    coalesce(submission.charged_mc, iif(submission.assumed_mc > 0, submission.assumed_mc, NULL)) AS charged_mc,
    EXISTS (SELECT 1 FROM result WHERE result.job_id = attempt.job_id AND result.submission_id = submission.id
        AND result.outcome = 'found') AS found
FROM json_each_text(:ids) AS wanted CROSS JOIN submission ON submission.id = wanted.value
CROSS JOIN attempt ON attempt.submission_id = submission.id CROSS JOIN job ON job.id = attempt.job_id
ORDER BY submission.id, attempt.id

-- name: runs_newest
-- The newest runs, with how many values each has written; of an undo, how many it has put back, and has still to.
SELECT run.id, run.kind, run.sync, run.started_at, run.ended_at, run.contacts, run.error, run.note,
    (SELECT count(*) FROM write WHERE write.run_id = run.id AND iif(write.state = 'written', 1, 0) = 1) AS written,
    (SELECT count(*) FROM undo WHERE undo.run_id = run.id AND undo.state = 'undone') AS undone,
    (SELECT count(*) FROM undo WHERE undo.run_id = run.id AND undo.state IN ('asked', 'intent')) AS open
FROM run WHERE (:sync IS NULL OR run.sync = :sync) AND run.id < :before AND run.started_at >= :since
ORDER BY run.id DESC LIMIT :limit + 0

-- name: same_person
SELECT job.id, job.state, job.reason, contact.connection, contact.object, contact.ext_id FROM contact
CROSS JOIN job ON job.contact_id = contact.id AND job.field = :field
WHERE contact.person = :person AND job.id <> :job_id LIMIT 20

-- name: jobs_states
SELECT json_group_array(json_array(id, state)) FROM job WHERE id IN (SELECT value FROM json_each(:ids))

-- name: job_state
SELECT state FROM job WHERE id = :id

-- name: open_work
-- Contacts to plan, deliveries to read, calls whose last word has not come.
SELECT (SELECT count(*) FROM contact WHERE planned = 0) + (SELECT count(*) FROM delivery WHERE state = 'received')
    + (SELECT count(*) FROM submission WHERE state = 'intent') + (SELECT count(*) FROM submission INDEXED BY submission_open
        WHERE state IN ('accepted', 'in_doubt') AND state = 'accepted' AND NOT EXISTS (
            SELECT 1 FROM delivery WHERE delivery.submission_id = submission.id AND delivery.state = 'quarantined'
                AND delivery.note <> :unsigned))

-- name: beyond_reach
-- Calls at providers that are not configured any more, and the jobs that wait for them: no answer can be taken. What was
-- set aside is counted by `stuck`, and is no open work.
SELECT count(*) + coalesce(sum((SELECT count(*) FROM job INDEXED BY job_flight WHERE job.submission_id = submission.id
        AND job.state IN ('sending', 'sent', 'in_doubt') AND job.state = 'sent')), 0)
FROM submission INDEXED BY submission_open
WHERE state IN ('accepted', 'in_doubt') AND state = 'accepted' AND provider NOT IN (SELECT value FROM json_each_text(:providers))
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.submission_id = submission.id AND delivery.state = 'quarantined'
        AND delivery.note <> :unsigned)

-- name: stuck
-- Queued or accepted, but the connection is halted (or short of credits for that field: `dear`), no budget has room for
-- it (`over_budget`: sync, provider, field), or nothing is bought for the sync; or answered in a way that nobody could read or believe.
-- Each part begins with what is in the way, so that nothing is counted where nothing is.
WITH waits (sync) AS (
    SELECT DISTINCT sync FROM counter WHERE state = 'queued' AND n > 0 AND sync NOT IN (SELECT value FROM json_each_text(:shut))),
lane (sync, provider, field) AS (
    SELECT waits.sync, connection.name, counter.field FROM connection CROSS JOIN waits
        CROSS JOIN counter ON counter.sync = waits.sync AND counter.state = 'queued' WHERE connection.trouble <> ''
    UNION SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(:over_budget) WHERE value ->> 0 IN (SELECT sync FROM waits)
    UNION SELECT waits.sync, value ->> 0, value ->> 1 FROM jsonb_each(:dear) CROSS JOIN waits)
SELECT (SELECT count(*) FROM json_each_text(:shut) AS shut
        CROSS JOIN job INDEXED BY job_queued ON job.sync = shut.value AND job.state = 'queued')
    + (SELECT count(*) FROM lane CROSS JOIN job INDEXED BY job_queued ON job.sync = lane.sync AND job.provider = lane.provider
            AND job.state = 'queued' WHERE job.field = lane.field)
    + (SELECT count(*) FROM connection CROSS JOIN job INDEXED BY job_writeback CROSS JOIN contact ON contact.id = job.contact_id
        WHERE connection.trouble <> '' AND job.state IN ('accepted', 'writing') AND contact.connection = connection.name)
    + (SELECT count(*) FROM json_each_text(:unwritten) AS unwritten CROSS JOIN job INDEXED BY job_writeback
            ON job.sync = unwritten.value AND job.state IN ('accepted', 'writing') CROSS JOIN contact ON contact.id = job.contact_id
        WHERE job.state = 'accepted' AND contact.connection NOT IN (SELECT name FROM connection WHERE trouble <> ''))
    + (SELECT count(DISTINCT job.id) FROM delivery INDEXED BY delivery_quarantined
        JOIN job INDEXED BY job_flight ON job.submission_id = delivery.submission_id
            AND job.state IN ('sending', 'sent', 'in_doubt')
        WHERE delivery.state = 'quarantined' AND delivery.note <> :unsigned AND job.state = 'sent')


-- ------------------------------------------------------------------ the gate

-- name: gate_empty
DELETE FROM gate WHERE owner = :owner

-- name: gate_shut
INSERT INTO gate VALUES (:watch, :sync, :owner, :why, :cure, :since)
ON CONFLICT (watch, sync, owner) DO UPDATE SET why = excluded.why, cure = excluded.cure

-- name: gate_open
-- Not what another process has found out since.
DELETE FROM gate WHERE watch = :watch AND sync = :sync AND owner = 0 AND since <= :looked_at

-- name: gates_forget
DELETE FROM gate

-- name: gates_expire
DELETE FROM gate WHERE owner <> 0 AND owner NOT IN (SELECT owner FROM worker)

-- name: gate
SELECT watch, sync, why, min(cure) AS cure, min(since) AS since FROM gate GROUP BY watch, sync, why ORDER BY sync, watch

-- name: canary_sent
INSERT INTO canary (nonce, at) VALUES (:nonce, :now)

-- name: canary_arrived
UPDATE canary SET arrived = 1 WHERE nonce = :nonce AND arrived = 0

-- name: canary_over
DELETE FROM canary WHERE nonce = :nonce OR at < :before RETURNING nonce, arrived


-- ------------------------------------------------------------------ the ledger about itself

-- name: moved
SELECT place, at, arriving FROM moved

-- name: moved_set
INSERT INTO moved (place, at, arriving) VALUES (:place, :now, :arriving)

-- name: moved_forget
DELETE FROM moved

-- name: identities
SELECT id, identity FROM contact WHERE id > :after ORDER BY id LIMIT :limit + 0

-- name: meta_get
SELECT value FROM meta WHERE key = :key

-- name: jobs_to_be_asked
SELECT coalesce(sum(n), 0) FROM counter WHERE state IN ('queued', 'waiting')

-- name: meta_clear
DELETE FROM meta WHERE key = :key

-- name: step_deadlines
-- The clock was set by :by seconds. Never to an earlier time than :at_least, unless it was to be earlier anyway.
UPDATE submission SET deadline = min(max(deadline, deadline + :by), max(deadline + :by, :at_least))
WHERE state IN ('accepted', 'in_doubt') AND deadline > :before

-- name: step_jobs
-- Forward: what the step alone made due. Back: all that it put off.
UPDATE job SET due_at = due_at + :by WHERE id IN (
    SELECT id FROM job WHERE state = 'waiting' AND due_at > :before AND (:by < 0 OR due_at <= :until)
    UNION ALL SELECT id FROM job WHERE state = 'review' AND due_at > :before AND (:by < 0 OR due_at <= :until)
    UNION ALL SELECT id FROM job INDEXED BY job_writeback
    WHERE state IN ('accepted', 'writing') AND due_at > :before AND (:by < 0 OR due_at <= :until)
)

-- name: step_connections
UPDATE connection SET blocked_until = blocked_until + :by WHERE blocked_until > :before

-- name: step_again
UPDATE again SET at = at + :by WHERE at > :before AND (:by < 0 OR at <= :until)

-- name: pull_all_again
-- A pull brings what lacks something: whoever is not brought by a whole one lacks nothing any more.
UPDATE selection SET cursor = NULL, sweeping = 0, swept_at = NULL

-- name: contacts_unseen
UPDATE contact SET pulled_at = 0

-- name: meta_set
INSERT INTO meta VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: bodies_portion_end
-- The last of the next deliveries, by their ids; NULL where no further one is left behind them.
SELECT id FROM delivery WHERE id > :after ORDER BY id LIMIT 1 OFFSET :limit - 1

-- name: purge_bodies
-- Raw answers that are read, and older than they are to be kept: the fact stays, the body goes.
UPDATE delivery SET body = x'', sample_id = NULL, headers = iif(headers IS NULL, NULL, '{}')
WHERE id > :after AND id <= :until AND received_at < :before AND state <> 'received' AND length(body) > 0

-- name: jobs_to_thin
SELECT id FROM job INDEXED BY job_thick WHERE state = 'done' AND thinned = 0 AND updated_at < :before
    AND CAST(floor(updated_at / 3600) AS INTEGER) <= CAST(floor(CAST(:before AS REAL) / 3600) AS INTEGER) LIMIT 200

-- name: thin_steps
UPDATE step SET jobs = jobs - 1 WHERE id IN (SELECT step_id FROM history WHERE job_id = :id)

-- name: steps_forget
-- What no job's history refers to any more.
DELETE FROM step WHERE jobs = 0

-- name: thin_results
DELETE FROM result WHERE job_id = :id

-- name: thin_reviews
DELETE FROM review WHERE job_id = :id

-- name: thin_undos
DELETE FROM undo WHERE write_id IN (SELECT id FROM write WHERE job_id = :id)

-- name: thin_writes
DELETE FROM write WHERE job_id = :id

-- name: people_portion_end
-- The last of the next contacts, by their ids.
SELECT max(id) FROM (SELECT id FROM contact WHERE id > :after ORDER BY id LIMIT :limit + 0) AS portion

-- name: people_to_thin
-- Not seen in the CRM for long, and nothing was done for them since. (0: to be pulled anew, after a restore.)
SELECT id FROM contact WHERE id > :after AND id <= :until AND pulled_at > 0 AND pulled_at < :before AND identity <> '{}'
    AND NOT EXISTS (SELECT 1 FROM job WHERE job.contact_id = contact.id AND (state <> 'done' OR updated_at >= :before))

-- name: thin_questions
-- What was asked goes, its digest stays. (All fields of a request are one contact's.)
UPDATE attempt SET asked = '{}' WHERE asked <> '' AND job_id IN (
    SELECT job.id FROM json_each(:ids) AS wanted CROSS JOIN job ON job.contact_id = wanted.value)

-- name: thin_contacts
UPDATE contact SET identity = '{}', revision = 0, vague = '[]', namesakes = 0, learned = NULL, fingerprint = NULL,
    person = CAST(id AS TEXT) WHERE id IN (SELECT value FROM json_each(:ids))

-- name: changes_so_far
SELECT total_changes()

-- name: changes_so_far [postgres]
-- Only `words_merge` is measured by it.
SELECT 0

-- name: words_merge
-- A bounded part of the work of `optimize`: the index keeps what was deleted until its parts are merged.
INSERT INTO contact_words (contact_words, rank) VALUES ('merge', -500)

-- name: words_merge [postgres]
-- Autovacuum does it.
SELECT 1 WHERE false

-- name: forgotten_requests_over
DELETE FROM forgotten_request WHERE submission_id IN (SELECT id FROM submission
    WHERE submission.id = forgotten_request.submission_id AND created_at < :before)

-- name: thin_job
UPDATE job SET value = NULL, note = '', steps = '', thinned = 1 WHERE id = :id

-- name: newly_enriched
-- What was written for whomever nothing had been written before.
SELECT contact.connection || '/' || contact.object || '/' || contact.ext_id AS contact, contact.identity, job.sync, job.field,
    write.property, write.after AS value, result.provider, result.at AS found_at, write.done_at AS written_at
FROM write JOIN job ON job.id = write.job_id JOIN contact ON contact.id = job.contact_id
LEFT JOIN result ON result.id = write.result_id
WHERE write.state = 'written' AND write.done_at >= :since AND NOT EXISTS (SELECT 1 FROM job AS own
    JOIN write AS before ON before.job_id = own.id WHERE own.contact_id = contact.id AND before.state = 'written'
        AND before.done_at < :since)
ORDER BY write.id

-- name: credits_of_provider
SELECT * FROM credit_total WHERE provider = :provider

-- name: balance_note
INSERT INTO balance VALUES (:provider, :now, :balance_mc, :charged_mc, :refund_mc)
ON CONFLICT (provider, at) DO UPDATE SET balance_mc = excluded.balance_mc, charged_mc = excluded.charged_mc, refund_mc = excluded.refund_mc

-- name: balance_left_at_worst
-- As it was read last, less what was charged since, and less what is reserved; NULL where none was ever read.
SELECT balance.balance_mc - coalesce(total.charged_mc - balance.charged_mc + total.reserved_mc, 0) AS mc
FROM balance LEFT JOIN credit_total AS total ON total.provider = balance.provider
WHERE balance.provider = :provider ORDER BY balance.at DESC LIMIT 1

-- name: balance_thin
-- The newest of those that are old enough is where a late reading is compared with; what lies ahead was noted by a clock
-- that has been set back since.
DELETE FROM balance WHERE provider = :provider AND (at > :now
    OR at < (SELECT max(at) FROM balance WHERE provider = :provider AND at <= :late))

-- name: balance_oldest
SELECT * FROM balance WHERE provider = :provider ORDER BY at LIMIT 1

-- name: reconciliation_keep
INSERT INTO reconciliation VALUES (:provider, :state) ON CONFLICT (provider) DO UPDATE SET state = excluded.state

-- name: reconciliation_get
SELECT state FROM reconciliation WHERE provider = :provider

-- name: reconciliations
SELECT * FROM reconciliation ORDER BY provider

-- name: in_doubt
SELECT submission.id, submission.provider, submission.sync, submission.requests, submission.reserved_mc, submission.created_at,
    submission.deadline, submission.note FROM submission INDEXED BY submission_open
WHERE submission.state IN ('accepted', 'in_doubt') AND submission.state = 'in_doubt' ORDER BY submission.created_at

-- name: calls_without_price
-- What is over, and of which nobody told the charge; with `assumed`, also what is taken as charged.
SELECT * FROM submission INDEXED BY submission_unpriced WHERE state IN ('expired', 'settled') AND reserved_mc > 0
UNION ALL SELECT * FROM submission INDEXED BY submission_assumed WHERE :assumed = 1 AND assumed_mc > 0
ORDER BY created_at

-- name: calls_taken_as_charged
UPDATE submission INDEXED BY submission_unpriced SET assumed_mc = reserved_mc, reserved_mc = 0
WHERE state IN ('expired', 'settled') AND reserved_mc > 0 AND provider = :provider AND deadline <= :before

-- name: calls_taken_as_free
UPDATE submission INDEXED BY submission_unpriced SET charged_mc = 0, reserved_mc = 0
WHERE state IN ('expired', 'settled') AND reserved_mc > 0 AND provider = :provider AND deadline <= :before

-- name: call_priced
-- A person has looked it up. What the provider says itself, should it ever come, still counts more.
UPDATE submission SET charged_mc = :charged_mc, reserved_mc = 0, assumed_mc = 0, note = :note,
    shares = coalesce(:shares, shares)
WHERE id = :id AND state IN ('expired', 'settled') AND reserved_mc + assumed_mc > 0

-- name: quarantined_again
-- The newest that are still whole; with a `note`, those that were set aside for this reason.
UPDATE delivery SET state = 'received' WHERE id IN (
    SELECT id FROM delivery INDEXED BY delivery_quarantined WHERE state = 'quarantined' AND length(body) > 0
    AND (sample_id IS NOT NULL OR length(body) >= size)
    AND (:note IS NULL OR note = :note) ORDER BY id DESC LIMIT :limit + 0)

-- name: check_counters
SELECT sync, field, state, reason, sum(n) AS off FROM (
    SELECT sync, field, state, reason, n FROM counter
    UNION ALL SELECT sync, field, state, reason, -count(*) FROM job GROUP BY sync, field, state, reason) AS both_ways
GROUP BY sync, field, state, reason HAVING sum(n) <> 0

-- name: check_spend
SELECT sync, provider, slot FROM (
    SELECT sync, provider, slot, field, run_id, refresh, reserved_mc AS r, charged_mc AS c, assumed_mc AS a, doubt_mc AS d FROM spend
    UNION ALL SELECT sync, provider, CAST(floor(created_at / 900) AS INTEGER), share.key, run_id, refresh,
        -sum(iif(reserved_mc > 0, share.value, 0)), -sum(iif(charged_mc > 0, share.value, 0)),
        -sum(iif(assumed_mc > 0, share.value, 0)), -sum(iif(state = 'in_doubt' AND reserved_mc > 0, share.value, 0))
        FROM submission, json_each(shares) AS share GROUP BY 1, 2, 3, 4, 5, 6) AS both_ways
GROUP BY sync, provider, slot, field, run_id, refresh HAVING sum(r) <> 0 OR sum(c) <> 0 OR sum(a) <> 0 OR sum(d) <> 0

-- name: check_shares
-- What a call reserves, or was charged, is the sum of its shares.
SELECT id FROM submission WHERE reserved_mc + coalesce(charged_mc, 0) + assumed_mc
    NOT IN (0, (SELECT sum(value) FROM json_each(shares))) LIMIT 20

-- name: check_totals
SELECT provider FROM (
    SELECT provider, submissions AS n, reserved_mc AS r, charged_mc AS c, assumed_mc AS a, doubt_mc AS d FROM credit_total
    UNION ALL SELECT provider, 0, -sum(reserved_mc), -sum(charged_mc), -sum(assumed_mc), -sum(doubt_mc)
        FROM spend GROUP BY provider
    UNION ALL SELECT provider, -count(*), 0, 0, 0, 0 FROM submission GROUP BY provider) AS both_ways
GROUP BY provider HAVING sum(n) <> 0 OR sum(r) <> 0 OR sum(c) <> 0 OR sum(a) <> 0 OR sum(d) <> 0

-- name: check_events
-- The last event of each job leads to where it stands.
SELECT job.id, job.state, coalesce(step.target, 'a step that is missing') AS target FROM job
LEFT JOIN step ON step.id = (SELECT max(step_id) FROM history WHERE history.job_id = job.id)
WHERE step.target IS DISTINCT FROM job.state AND job.steps <> '' LIMIT 20

-- name: check_steps
-- What happened, happened to as many jobs as have it in their history.
SELECT step.id, step.jobs, coalesce(counted.n, 0) AS found
FROM step LEFT JOIN (SELECT step_id, count(*) AS n FROM history GROUP BY step_id) AS counted ON counted.step_id = step.id
WHERE step.jobs <> coalesce(counted.n, 0) LIMIT 20

-- name: check_chain
-- Each event begins where the one before it ended; the first one where a job begins, or where one whose
-- history was let go stood.
SELECT job_id AS id, source, before FROM (
    SELECT job_id, source, lag(target) OVER (PARTITION BY job_id ORDER BY id) AS before FROM event) AS chain
WHERE source <> coalesce(before, iif(source = 'done', 'done', '')) LIMIT 20

-- name: check_histories
-- Only what is done, and was let go of altogether, has no history.
SELECT id, state FROM job WHERE steps = '' AND (state <> 'done'
    OR value IS NOT NULL OR EXISTS (SELECT 1 FROM result WHERE result.job_id = job.id)
    OR EXISTS (SELECT 1 FROM write WHERE write.job_id = job.id)) LIMIT 20

-- name: check_moves
SELECT DISTINCT source, target FROM event WHERE source <> ''

-- name: check_flight
-- A job in flight has a live attempt at the submission that it waits for.
SELECT job.id, job.state FROM job WHERE job.state IN ('sending', 'sent', 'in_doubt') AND NOT EXISTS (
    SELECT 1 FROM attempt WHERE attempt.job_id = job.id AND attempt.submission_id = job.submission_id AND attempt.live = 1)
LIMIT 20

-- name: check_written
-- What was written was found by somebody and accepted, and its write was confirmed.
SELECT job.id FROM job WHERE job.state = 'done' AND job.reason = 'written' AND job.value IS NOT NULL AND (
    NOT EXISTS (SELECT 1 FROM result WHERE result.job_id = job.id AND result.outcome = 'found')
    OR NOT EXISTS (SELECT 1 FROM write WHERE write.job_id = job.id AND write.state = 'written')) LIMIT 20

-- name: check_acknowledged
-- An answer that was taken belongs to a call that this ledger knows.
SELECT delivery.id FROM delivery WHERE delivery.state = 'applied'
AND NOT EXISTS (SELECT 1 FROM submission WHERE submission.id = delivery.submission_id) LIMIT 20

-- ------------------------------------------------------------------ what the operator's pages show

-- name: frame
-- What wants a person, on every page; set aside are a thousand at most.
SELECT (SELECT coalesce(sum(n), 0) FROM counter WHERE state = 'review') AS reviews,
    (SELECT count(*) FROM submission INDEXED BY submission_doubt WHERE state = 'in_doubt') AS doubts,
    (SELECT count(*) FROM (
        SELECT 1 FROM delivery INDEXED BY delivery_quarantined WHERE state = 'quarantined' LIMIT 1001) AS page) AS set_aside

-- name: written_lately
-- The newest values that stand in a CRM.
SELECT write.done_at AS at, job.field, result.provider, contact.identity,
    contact.connection || '/' || contact.object || '/' || contact.ext_id AS ref
FROM write JOIN job ON job.id = write.job_id JOIN contact ON contact.id = job.contact_id
LEFT JOIN result ON result.id = write.result_id
WHERE write.id > (SELECT coalesce(max(id), 0) FROM write) - 100 AND write.state = 'written' AND write.done_at IS NOT NULL
ORDER BY write.id DESC LIMIT :limit + 0

-- name: beats
-- The newest pulls of a sync.
SELECT id, started_at, ended_at, contacts, error FROM run WHERE sync = :sync ORDER BY id DESC LIMIT :limit + 0

-- name: deliveries_set_aside
SELECT id, provider, submission_id, source, note, repeats, received_at, size FROM delivery INDEXED BY delivery_quarantined
WHERE state = 'quarantined' AND id < :before ORDER BY id DESC LIMIT :limit + 0

-- name: delivery_body
SELECT delivery.body, sample.text AS sample FROM delivery LEFT JOIN sample ON sample.id = delivery.sample_id
WHERE delivery.id = :id

-- name: reviews_page
-- Those that fit, in the order in which they are over: a page.
SELECT * FROM waiting_review WHERE due_at >= :due_at AND (due_at > :due_at OR held_job > :job_id)
    AND (:sync IS NULL OR sync = :sync) AND (:field IS NULL OR field = :field)
    AND (:provider IS NULL OR provider = :provider) AND (:why IS NULL OR instr(lower(why), lower(:why)) > 0)
ORDER BY due_at, held_job LIMIT :limit + 0
-- What PostgreSQL lacks of SQLite's SQL, made once, before the tables, so that both databases take one text of each statement.

-- The elements of a JSON array (`key`: their places from 0), or the members of an object: as texts, as whole numbers, or
-- as rows of several values.
CREATE FUNCTION json_each_text(given text) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE AS $$
    SELECT (place - 1)::text, element FROM jsonb_array_elements_text(
        CASE WHEN given LIKE '[%' THEN given::jsonb ELSE '[]' END) WITH ORDINALITY AS one (element, place)
    UNION ALL SELECT name, member FROM jsonb_each_text(
        CASE WHEN given LIKE '{%' THEN given::jsonb ELSE '{}' END) AS one (name, member) $$;
CREATE FUNCTION json_each(given text) RETURNS TABLE (key text, value bigint) LANGUAGE sql IMMUTABLE AS $$
    SELECT key, value::bigint FROM json_each_text(given) $$;
CREATE FUNCTION jsonb_each(given text) RETURNS TABLE (key bigint, value jsonb) LANGUAGE sql IMMUTABLE AS $$
    SELECT place - 1, element FROM jsonb_array_elements(given::jsonb) WITH ORDINALITY AS one (element, place) $$;
-- A JSON merge patch (RFC 7396).
CREATE FUNCTION json_patched(target jsonb, patch jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    result jsonb := CASE WHEN jsonb_typeof(target) = 'object' THEN target ELSE '{}' END;
    member record;
BEGIN
    IF jsonb_typeof(patch) <> 'object' THEN
        RETURN patch;
    END IF;
    FOR member IN SELECT * FROM jsonb_each(patch) LOOP
        IF jsonb_typeof(member.value) = 'null' THEN
            result := result - member.key;
        ELSE
            result := jsonb_set(result, ARRAY[member.key], json_patched(result -> member.key, member.value));
        END IF;
    END LOOP;
    RETURN result;
END $$;
CREATE FUNCTION json_patch(target text, patch text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT json_patched(target::jsonb, patch::jsonb)::text $$;

CREATE FUNCTION iif(boolean, anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN $1 THEN $2 ELSE $3 END $$;
-- Of two values; NULL if one is, which `greatest` and `least` leave out.
CREATE FUNCTION max(anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT greatest($1, $2) $$;
CREATE FUNCTION min(anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT least($1, $2) $$;
CREATE FUNCTION instr(text, text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT strpos($1, $2)::bigint $$;
CREATE FUNCTION log2(double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT ln($1) / ln(2.0) $$;

-- The time by which leases are measured: that of the database, whatever the clocks of the hosts say.
CREATE FUNCTION ledger_time(of_host double precision) RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT extract(epoch FROM clock_timestamp())::double precision $$;

-- In place of SQLite's full-text index: words as they come from search.py, cut where a word would be too long for an index.
CREATE TABLE contact_words (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
CREATE INDEX contact_words_words ON contact_words USING gin (words);
CREATE FUNCTION word_vector(words text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT array_to_tsvector(coalesce(array_agg(DISTINCT left(word, 200)), '{}'))
    FROM string_to_table(words, ' ') AS word WHERE word <> '' $$;
-- `"one" "other"*` of SQLite's full-text index: all of these words, of the last one its beginning.
CREATE FUNCTION word_query(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(replace(replace(replace(words, '" "', ''' & '''), '"*', ''':*'), '"', ''''), '(\w{200})\w+', '\1', 'g')
        ::tsquery $$;

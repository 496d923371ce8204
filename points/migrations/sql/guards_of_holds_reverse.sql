DROP FUNCTION points_erase_words(uuid, timestamptz);
DROP TRIGGER entries_keep_their_words ON points_pointtransaction;
DROP FUNCTION points_refuse_change_of_words();
DROP TRIGGER entries_never_change ON points_pointtransaction;
CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON points_pointtransaction
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
DROP TRIGGER accounts_end_once ON points_pointaccount;
DROP TRIGGER holds_are_resolved_once ON points_hold;
DROP TRIGGER holds_never_change_but_in_what_becomes_of_them ON points_hold;
DROP TRIGGER holds_are_never_deleted ON points_hold;
DROP TRIGGER lots_never_change_but_in_what_remains ON points_pointlot;
CREATE TRIGGER lots_never_change_but_in_what_remains
    BEFORE UPDATE OF id, account_id, program_id, version, points, active_from, expires_at, inactivity_months, clawback
    ON points_pointlot FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE OR REPLACE FUNCTION points_check_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE broken uuid;
BEGIN
    SELECT a.id INTO broken
    FROM new_accounts a
    LEFT JOIN points_pointtransaction e ON e.account_id = a.id AND e.version = a.version
    WHERE (a.balance, a.pending) <> (COALESCE(e.balance_after, 0), COALESCE(e.pending_after, 0))
       OR (e.id IS NULL AND a.version <> 0)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % does not say what its newest entry says', broken
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION points_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE broken uuid;
BEGIN
    SELECT e.account_id INTO broken
    FROM new_entries e
    JOIN points_pointaccount a ON a.id = e.account_id
    LEFT JOIN points_pointtransaction p ON p.account_id = e.account_id AND p.version = e.version - 1
    WHERE (p.id IS NULL AND e.version > 1)
       OR e.program_id <> a.program_id
       OR e.balance_before <> COALESCE(p.balance_after, 0)
       OR e.balance_after + e.pending_after <> COALESCE(p.balance_after + p.pending_after, 0) + e.points
       OR e.version > a.version
       OR (e.version = a.version AND (e.balance_after, e.pending_after) <> (a.balance, a.pending))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the entries of account % do not follow on from each other', broken
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
ALTER TABLE points_pointtransaction ADD CONSTRAINT entry_reverses_an_entry_of_its_account
    FOREIGN KEY (account_id, reverses_id) REFERENCES points_pointtransaction (account_id, id);

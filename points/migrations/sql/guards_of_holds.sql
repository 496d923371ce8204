-- Points that are held, entries that two accounts have part in, and words that are erased with a customer.

-- Where the entry that is reversed is of an account that was merged into this one, no foreign key can name it: the
-- tables are spread by account.
ALTER TABLE points_pointtransaction DROP CONSTRAINT entry_reverses_an_entry_of_its_account;

CREATE OR REPLACE FUNCTION points_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE broken uuid;
BEGIN
    SELECT e.account_id INTO broken
    FROM new_entries e
    JOIN points_pointaccount a ON a.id = e.account_id
    LEFT JOIN points_pointtransaction p ON p.account_id = e.account_id AND p.version = e.version - 1
    LEFT JOIN points_pointtransaction r ON r.account_id = e.account_id AND r.id = e.reverses_id
    WHERE (p.id IS NULL AND e.version > 1)
       OR e.program_id <> a.program_id
       OR e.balance_before <> COALESCE(p.balance_after, 0)
       OR e.balance_after + e.pending_after + e.held_after
          <> COALESCE(p.balance_after + p.pending_after + p.held_after, 0) + e.points
       OR e.version > a.version
       OR (e.version = a.version
           AND (e.balance_after, e.pending_after, e.held_after) <> (a.balance, a.pending, a.held))
       OR (e.reverses_id IS NOT NULL AND e.other_account_id IS NULL AND r.id IS NULL)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the entries of account % do not follow on from each other', broken
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION points_check_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE broken uuid;
BEGIN
    SELECT a.id INTO broken
    FROM new_accounts a
    LEFT JOIN points_pointtransaction e ON e.account_id = a.id AND e.version = a.version
    WHERE (a.balance, a.pending, a.held)
          <> (COALESCE(e.balance_after, 0), COALESCE(e.pending_after, 0), COALESCE(e.held_after, 0))
       OR (e.id IS NULL AND a.version <> 0)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % does not say what its newest entry says', broken
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER lots_never_change_but_in_what_remains ON points_pointlot;
CREATE TRIGGER lots_never_change_but_in_what_remains
    BEFORE UPDATE OF id, account_id, program_id, entry_id, origin_id, version, points, active_from, expires_at,
        inactivity_months, clawback
    ON points_pointlot FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();

CREATE TRIGGER holds_are_never_deleted BEFORE DELETE OR TRUNCATE ON points_hold
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER holds_never_change_but_in_what_becomes_of_them
    BEFORE UPDATE OF account_id, id, program_id, points, pins, expires_at, created_at
    ON points_hold FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER holds_are_resolved_once
    BEFORE UPDATE OF status, captured_points, resolved_at, resolved_by_id
    ON points_hold FOR EACH ROW WHEN (OLD.status <> 'active') EXECUTE FUNCTION points_refuse_change();

-- An account that is over stays so.
CREATE TRIGGER accounts_end_once BEFORE UPDATE OF merged_into_id, closed_at ON points_pointaccount
    FOR EACH ROW WHEN (OLD.merged_into_id IS NOT NULL OR OLD.closed_at IS NOT NULL)
    EXECUTE FUNCTION points_refuse_change();

-- The words of an entry, and nothing else of it, are erased with the customer: by the function below alone.
DROP TRIGGER entries_never_change ON points_pointtransaction;
CREATE TRIGGER entries_never_change
    BEFORE UPDATE OF id, account_id, program_id, version, type, points, balance_before, balance_after, pending_after,
        held_after, shortfall, valid_from, expires_at, actor, card_id, reverses_id, transaction_date, external_id,
        fingerprint, source, line_item_id, other_account_id, other_entry_id, effective_at, created_at, serial, xid
        OR DELETE OR TRUNCATE
    ON points_pointtransaction FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();

CREATE FUNCTION points_refuse_change_of_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('loyalty.erasing', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the words of entries are erased with their customer, and never changed'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER entries_keep_their_words BEFORE UPDATE OF reason, reference, staff_member, metadata, erased_at
    ON points_pointtransaction FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change_of_words();

-- Erases the free text of an account's entries and holds. The account is closed already, or was merged into one that is.
-- It runs with the rights of the owner: the runtime role may call it, and may not write what it writes.
CREATE FUNCTION points_erase_words(account uuid, at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    heir uuid := account;
    next uuid;
    is_closed boolean;
BEGIN
    LOOP
        SELECT a.merged_into_id, a.closed_at IS NOT NULL INTO next, is_closed
            FROM points_pointaccount a WHERE a.id = heir;
        EXIT WHEN next IS NULL;
        heir := next;
    END LOOP;
    IF is_closed IS NOT TRUE THEN
        RAISE EXCEPTION 'account % is not closed', account USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM set_config('loyalty.erasing', 'on', true);
    UPDATE points_pointtransaction
        SET reason = NULL, reference = NULL, staff_member = NULL, metadata = NULL, erased_at = at
        WHERE account_id = account AND erased_at IS NULL;
    PERFORM set_config('loyalty.erasing', 'off', true);
    UPDATE points_hold SET reference = NULL, metadata = NULL WHERE account_id = account;
END $$;
REVOKE EXECUTE ON FUNCTION points_erase_words(uuid, timestamptz) FROM PUBLIC;

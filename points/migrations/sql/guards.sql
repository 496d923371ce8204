-- What must never be false of the ledger, held by the database itself.

-- Tables of an account are keyed by it, so that they can be spread by account over the nodes of a cluster.
ALTER TABLE points_pointtransaction DROP CONSTRAINT points_pointtransaction_pkey, ADD PRIMARY KEY (account_id, id);
ALTER TABLE points_pointlot DROP CONSTRAINT points_pointlot_pkey, ADD PRIMARY KEY (account_id, id);

ALTER TABLE points_pointtransaction ADD CONSTRAINT entry_reverses_an_entry_of_its_account
    FOREIGN KEY (account_id, reverses_id) REFERENCES points_pointtransaction (account_id, id);
ALTER TABLE points_pointlot ADD CONSTRAINT lot_was_made_by_an_entry
    FOREIGN KEY (account_id, id) REFERENCES points_pointtransaction (account_id, id);
ALTER TABLE points_lotuse ADD CONSTRAINT use_belongs_to_an_entry
    FOREIGN KEY (account_id, entry_id) REFERENCES points_pointtransaction (account_id, id);
ALTER TABLE points_lotuse ADD CONSTRAINT use_names_a_lot_of_its_account
    FOREIGN KEY (account_id, lot_id) REFERENCES points_pointlot (account_id, id);

-- Room on the page, so that the update of a posting stays on it (HOT).
ALTER TABLE points_pointaccount SET (fillfactor = 70);
ALTER TABLE points_pointlot SET (fillfactor = 85);

CREATE FUNCTION points_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON points_pointtransaction
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER uses_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON points_lotuse
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER lots_are_never_deleted BEFORE DELETE OR TRUNCATE ON points_pointlot
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER lots_never_change_but_in_what_remains
    BEFORE UPDATE OF id, account_id, program_id, version, points, active_from, expires_at, inactivity_months, clawback
    ON points_pointlot FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER accounts_are_never_deleted BEFORE DELETE OR TRUNCATE ON points_pointaccount
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER accounts_never_change_hands
    BEFORE UPDATE OF id, program_id, customer_id, definition_id ON points_pointaccount
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();

-- Each entry goes on from the one before it, and the newest one says what the account says.
CREATE FUNCTION points_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER entries_follow_on AFTER INSERT ON points_pointtransaction
    REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION points_check_entries();

-- A balance changes only together with the entry that explains it.
CREATE FUNCTION points_check_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER accounts_say_what_their_entries_say_when_made AFTER INSERT ON points_pointaccount
    REFERENCING NEW TABLE AS new_accounts FOR EACH STATEMENT EXECUTE FUNCTION points_check_accounts();
CREATE TRIGGER accounts_say_what_their_entries_say AFTER UPDATE ON points_pointaccount
    REFERENCING NEW TABLE AS new_accounts FOR EACH STATEMENT EXECUTE FUNCTION points_check_accounts();

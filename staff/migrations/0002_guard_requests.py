from django.db import migrations

GUARD = """
CREATE FUNCTION staff_guard_requests() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    erased staff_adjustmentrequest := OLD;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'requested' OR NEW.erased_at IS NOT NULL THEN
            RAISE EXCEPTION 'a request begins by waiting' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    -- The words, and nothing else, go with the customer who was erased.
    erased.reason := NULL;
    erased.reference := NULL;
    erased.decision := NULL;
    erased.erased_at := NEW.erased_at;
    IF OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL AND NEW IS NOT DISTINCT FROM erased
        AND EXISTS (SELECT FROM cards_customer c WHERE c.id = OLD.customer_id AND c.erased_at IS NOT NULL) THEN
        RETURN NEW;
    END IF;
    IF OLD.state <> 'requested' THEN
        RAISE EXCEPTION 'a request is decided once' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.program_id, NEW.definition_id, NEW.customer_id, NEW.points, NEW.reason_code, NEW.reason,
            NEW.reference, NEW.asked_by_id, NEW.asked_at, NEW.expires_at, NEW.erased_at)
        IS DISTINCT FROM (OLD.id, OLD.program_id, OLD.definition_id, OLD.customer_id, OLD.points, OLD.reason_code,
            OLD.reason, OLD.reference, OLD.asked_by_id, OLD.asked_at, OLD.expires_at, OLD.erased_at) THEN
        RAISE EXCEPTION 'what was asked for never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state = 'approved' AND NOT EXISTS (
        SELECT FROM points_pointtransaction e
        WHERE e.account_id = NEW.account_id AND e.id = NEW.entry_id AND e.program_id = NEW.program_id
            AND e.type = 'adjust' AND e.points = NEW.points
    ) THEN
        RAISE EXCEPTION 'an approved request names the entry that it became'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER requests_are_decided_once BEFORE INSERT OR UPDATE ON staff_adjustmentrequest
    FOR EACH ROW EXECUTE FUNCTION staff_guard_requests();
CREATE TRIGGER requests_are_never_deleted BEFORE DELETE OR TRUNCATE ON staff_adjustmentrequest
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE UNIQUE INDEX adjustment_request_entry_unique ON staff_adjustmentrequest (account_id, entry_id)
    WHERE entry_id IS NOT NULL;

-- It runs with the rights of the owner: the runtime role may erase customers, and may not write words of requests.
CREATE FUNCTION staff_erase_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE staff_adjustmentrequest SET reason = NULL, reference = NULL, decision = NULL, erased_at = NEW.erased_at
        WHERE customer_id = NEW.id AND erased_at IS NULL;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION staff_erase_words() FROM PUBLIC;
CREATE TRIGGER requests_lose_their_words_with_their_customer AFTER UPDATE OF erased_at ON cards_customer FOR EACH ROW
    WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL) EXECUTE FUNCTION staff_erase_words();
"""

UNGUARD = """
DROP TRIGGER requests_lose_their_words_with_their_customer ON cards_customer;
DROP FUNCTION staff_erase_words();
DROP INDEX adjustment_request_entry_unique;
DROP TRIGGER requests_are_never_deleted ON staff_adjustmentrequest;
DROP TRIGGER requests_are_decided_once ON staff_adjustmentrequest;
DROP FUNCTION staff_guard_requests();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0001_adjustments"),
        ("points", "0020_reminders"),
        ("cards", "0009_unsubscribed_from"),
    ]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]

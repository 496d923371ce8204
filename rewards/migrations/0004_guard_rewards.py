from django.db import migrations

GUARD = """
CREATE TRIGGER rewards_are_never_deleted BEFORE DELETE OR TRUNCATE ON rewards_reward
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER rewards_never_change_hands BEFORE UPDATE OF id, program_id, definition_id, created_at
    ON rewards_reward FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemptions_are_never_deleted BEFORE DELETE OR TRUNCATE ON rewards_redemption
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemptions_never_change_but_in_their_state
    BEFORE UPDATE OF id, program_id, definition_id, reward_id, entry_id, code, points,
        balance_after, discount_amount, discount_percent, currency, took_stock, lapse, expires_at, created_at
    ON rewards_redemption FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemptions_end_once BEFORE UPDATE OF used_at, cancelled_at, lapsed_at
    ON rewards_redemption FOR EACH ROW
    WHEN (num_nonnulls(OLD.used_at, OLD.cancelled_at, OLD.lapsed_at) > 0)
    EXECUTE FUNCTION points_refuse_change();

-- A code belongs to another customer only where its account has become that one's.
CREATE FUNCTION rewards_check_heir() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM points_pointaccount merged JOIN points_pointaccount heir ON heir.id = merged.merged_into_id
        WHERE merged.id = OLD.account_id AND heir.id = NEW.account_id AND heir.customer_id = NEW.customer_id
    ) THEN
        RAISE EXCEPTION 'code % can go to no other account', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER redemptions_go_where_their_account_goes BEFORE UPDATE OF customer_id, account_id
    ON rewards_redemption FOR EACH ROW EXECUTE FUNCTION rewards_check_heir();

-- It runs with the rights of the owner: the runtime role may call it, and may not write what it writes.
CREATE FUNCTION rewards_move_codes(account uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE rewards_redemption code SET account_id = heir.id, customer_id = heir.customer_id
    FROM points_pointaccount merged JOIN points_pointaccount heir ON heir.id = merged.merged_into_id
    WHERE merged.id = account AND code.customer_id = merged.customer_id AND code.account_id = merged.id
$$;
REVOKE EXECUTE ON FUNCTION rewards_move_codes(uuid) FROM PUBLIC;

CREATE TRIGGER redemption_events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards_redemptionevent
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
"""

UNGUARD = """
DROP FUNCTION rewards_move_codes(uuid);
DROP TRIGGER redemptions_go_where_their_account_goes ON rewards_redemption;
DROP FUNCTION rewards_check_heir();
DROP TRIGGER rewards_are_never_deleted ON rewards_reward;
DROP TRIGGER rewards_never_change_hands ON rewards_reward;
DROP TRIGGER redemptions_are_never_deleted ON rewards_redemption;
DROP TRIGGER redemptions_never_change_but_in_their_state ON rewards_redemption;
DROP TRIGGER redemptions_end_once ON rewards_redemption;
DROP TRIGGER redemption_events_never_change ON rewards_redemptionevent;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0003_rewards_and_redemptions"), ("points", "0018_guard_holds")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]

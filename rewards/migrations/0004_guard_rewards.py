from django.db import migrations

GUARD = """
CREATE TRIGGER rewards_are_never_deleted BEFORE DELETE OR TRUNCATE ON rewards_reward
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER rewards_never_change_hands BEFORE UPDATE OF id, program_id, definition_id, created_at
    ON rewards_reward FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemptions_are_never_deleted BEFORE DELETE OR TRUNCATE ON rewards_redemption
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemptions_never_change_but_in_their_state
    BEFORE UPDATE OF id, program_id, customer_id, definition_id, reward_id, account_id, entry_id, code, points,
        balance_after, discount_amount, discount_percent, currency, took_stock, lapse, expires_at, created_at
    ON rewards_redemption FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemptions_end_once BEFORE UPDATE ON rewards_redemption FOR EACH ROW
    WHEN (num_nonnulls(OLD.used_at, OLD.cancelled_at, OLD.lapsed_at) > 0)
    EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER redemption_events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards_redemptionevent
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
"""

UNGUARD = """
DROP TRIGGER rewards_are_never_deleted ON rewards_reward;
DROP TRIGGER rewards_never_change_hands ON rewards_reward;
DROP TRIGGER redemptions_are_never_deleted ON rewards_redemption;
DROP TRIGGER redemptions_never_change_but_in_their_state ON rewards_redemption;
DROP TRIGGER redemptions_end_once ON rewards_redemption;
DROP TRIGGER redemption_events_never_change ON rewards_redemptionevent;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0003_rewards_and_redemptions")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]

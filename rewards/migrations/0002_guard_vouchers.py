from django.db import migrations

GUARD = """
CREATE TRIGGER vouchers_are_never_deleted BEFORE DELETE OR TRUNCATE ON rewards_rewardvoucher
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER vouchers_never_change_but_in_their_use
    BEFORE UPDATE OF id, program_id, customer_id, definition_id, account_id, entry_id, number, name, points, value,
        currency, expires_at, created_at
    ON rewards_rewardvoucher FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER voucher_events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards_voucherevent
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
"""

UNGUARD = """
DROP TRIGGER vouchers_are_never_deleted ON rewards_rewardvoucher;
DROP TRIGGER vouchers_never_change_but_in_their_use ON rewards_rewardvoucher;
DROP TRIGGER voucher_events_never_change ON rewards_voucherevent;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0001_vouchers")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]

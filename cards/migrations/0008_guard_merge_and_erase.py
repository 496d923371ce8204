from django.db import migrations

GUARD = """
CREATE FUNCTION cards_refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a customer who was merged or erased stays so' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER customers_end_once BEFORE UPDATE OF merged_into_id, merged_at, erased_at ON cards_customer FOR EACH ROW
    WHEN ((OLD.merged_into_id IS NOT NULL AND (NEW.merged_into_id, NEW.merged_at) IS DISTINCT FROM
            (COALESCE(NEW.merged_into_id, OLD.merged_into_id), OLD.merged_at))
        OR (OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at))
    EXECUTE FUNCTION cards_refuse_return();
"""
UNGUARD = """
DROP TRIGGER customers_end_once ON cards_customer;
DROP FUNCTION cards_refuse_return();
"""


class Migration(migrations.Migration):
    dependencies = [("cards", "0007_erase_permission")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]

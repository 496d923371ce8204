from django.db import migrations

GUARD = """
CREATE FUNCTION staff_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the audit log is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON staff_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
"""

UNGUARD = """
DROP TRIGGER audit_never_changes ON staff_auditentry;
DROP FUNCTION staff_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("staff", "0003_audit")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]

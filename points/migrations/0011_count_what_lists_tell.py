from django.db import migrations

COUNT = """
UPDATE points_pointaccount a SET listed = e.entries FROM (
    SELECT account_id, count(*) AS entries FROM points_pointtransaction WHERE type <> 'activate' GROUP BY account_id
) e WHERE e.account_id = a.id
"""

# What is marked has been true since it was written.
MARK = """
ALTER TABLE points_lotuse DISABLE TRIGGER uses_never_change;
UPDATE points_lotuse u SET is_expiry = true FROM points_pointtransaction e
WHERE e.account_id = u.account_id AND e.id = u.entry_id AND e.type = 'expire';
ALTER TABLE points_lotuse ENABLE TRIGGER uses_never_change;
"""


class Migration(migrations.Migration):
    dependencies = [("points", "0010_remember_callers_ids")]

    operations = [
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
    ]

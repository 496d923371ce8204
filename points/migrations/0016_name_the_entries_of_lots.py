import uuid

from django.db import migrations

BATCH = 10_000

# By the primary key, so that a batch reads no more than it writes.
FILL = """
WITH batch AS (
    SELECT account_id, id FROM points_pointlot WHERE (account_id, id) > (%s, %s) ORDER BY account_id, id LIMIT %s
), filled AS (
    UPDATE points_pointlot l SET entry_id = l.id FROM batch b
    WHERE l.account_id = b.account_id AND l.id = b.id AND l.entry_id IS NULL
)
SELECT account_id, id FROM batch ORDER BY account_id DESC, id DESC LIMIT 1
"""


def fill(_apps, schema_editor):
    last = (uuid.UUID(int=0), uuid.UUID(int=0))
    with schema_editor.connection.cursor() as cursor:
        while last is not None:
            cursor.execute(FILL, [*last, BATCH])
            last = cursor.fetchone()


class Migration(migrations.Migration):
    # A batch in each transaction: whoever posts does not wait for it.
    atomic = False

    dependencies = [("points", "0015_holds")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]

from django.db import migrations

FUNCTION = "ALTER FUNCTION points_lots_to_post(uuid, timestamptz, timestamptz, boolean, numeric)"
# It stops as soon as it has enough. Statistics of other accounts must not make it read all lots of one and sort them.
SETTINGS = ("enable_seqscan", "enable_bitmapscan", "enable_sort")


class Migration(migrations.Migration):
    dependencies = [("points", "0005_guard_tiers")]

    operations = [
        migrations.RunSQL(f"{FUNCTION} SET {setting} = off", f"{FUNCTION} RESET {setting}") for setting in SETTINGS
    ]

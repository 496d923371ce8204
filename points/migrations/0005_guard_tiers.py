from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("points", "0004_tiers_and_earning")]

    operations = [
        migrations.RunSQL(
            (SQL / "guards_of_tiers.sql").read_text(),
            "DROP TRIGGER tier_changes_never_change ON points_tierchange;"
            "DROP TRIGGER rulebooks_never_change ON points_rulebook;",
        ),
        migrations.RunSQL((SQL / "earned_by_month.sql").read_text(), migrations.RunSQL.noop),
    ]

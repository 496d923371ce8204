from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


def sql(name: str) -> str:
    return (SQL / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("points", "0001_initial"), ("loyalty", "0001_initial"), ("cards", "0001_initial")]

    operations = [
        migrations.RunSQL(sql("guards.sql"), sql("guards_reverse.sql")),
        migrations.RunSQL(
            sql("lots_to_post.sql"),
            "DROP FUNCTION points_lots_to_post(uuid, timestamptz, timestamptz, boolean, numeric)",
        ),
        migrations.RunSQL(sql("months_after.sql"), "DROP FUNCTION points_months_after(timestamptz, int, text)"),
    ]

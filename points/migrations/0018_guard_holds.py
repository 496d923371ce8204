from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


def sql(name: str) -> str:
    return (SQL / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("points", "0017_index_origins")]

    operations = [migrations.RunSQL(sql("guards_of_holds.sql"), sql("guards_of_holds_reverse.sql"))]

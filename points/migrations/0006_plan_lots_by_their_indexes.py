from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("points", "0005_guard_tiers")]

    operations = [
        # Made anew where it was made before it had its settings.
        migrations.RunSQL((SQL / "lots_to_post.sql").read_text(), migrations.RunSQL.noop),
    ]

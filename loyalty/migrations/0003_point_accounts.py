from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0002_rules_version")]

    operations = [
        migrations.AddField(
            "program",
            "has_point_accounts",
            models.BooleanField(
                db_default=True,
                default=True,
                help_text="Whether the API of point accounts (/api/v3) may post. What exists stays readable.",
                verbose_name="point accounts",
            ),
        ),
    ]

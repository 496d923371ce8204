from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("points", "0009_name_settings_as_staff_do")]

    operations = [
        migrations.AddField(
            "lotuse",
            "is_expiry",
            models.BooleanField(db_default=False, default=False, help_text="The entry is an expiry."),
        ),
        migrations.AddField(
            "pointaccount",
            "listed",
            models.BigIntegerField(
                db_default=0, default=0, help_text="How many of them lists tell: all but those that only activate."
            ),
        ),
        migrations.AddField(
            "pointtransaction",
            "external_id",
            models.UUIDField(help_text="The caller's own id of it, once in the account.", null=True),
        ),
        migrations.AddField(
            "pointtransaction",
            "fingerprint",
            models.CharField(
                help_text="SHA-256 of what the caller sent under that id, in hex.", max_length=64, null=True
            ),
        ),
        migrations.AddField(
            "pointtransaction",
            "line_item_id",
            models.CharField(help_text="The line of the receipt that it is of.", max_length=100, null=True),
        ),
        migrations.AddField(
            "pointtransaction",
            "source",
            models.CharField(help_text="The caller's word for where it comes from.", max_length=30, null=True),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0005_reversed_entries"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="action",
            field=models.CharField(
                choices=[
                    ("added", "Added"),
                    ("changed", "Changed"),
                    ("removed", "Removed"),
                    ("adjusted", "Adjusted points"),
                    ("reversed", "Reversed an entry"),
                    ("requested", "Asked for an adjustment"),
                    ("approved", "Approved an adjustment"),
                    ("refused", "Refused an adjustment"),
                    ("withdrawn", "Withdrew an adjustment"),
                    ("issued", "Issued a card"),
                    ("blocked", "Blocked a card"),
                    ("unblocked", "Unblocked a card"),
                    ("activated", "Activated a card"),
                    ("replaced", "Replaced a card"),
                    ("merged", "Merged customers"),
                    ("erased", "Erased a customer"),
                    ("revoked", "Revoked an API key"),
                    ("rotated", "Rotated a secret"),
                    ("paused", "Paused an endpoint"),
                    ("resumed", "Resumed an endpoint"),
                    ("exported", "Exported rows"),
                    ("made_default", "Made the default"),
                    ("signed_in", "Signed in"),
                    ("sign_in_failed", "Failed to sign in"),
                ],
                max_length=20,
            ),
        ),
    ]

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("points", "0002_guard_ledger")]

    operations = [
        migrations.AlterModelOptions(
            name="pointaccount", options={"permissions": [("adjust_points", "Can adjust points")]}
        ),
    ]

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("points", "0018_guard_holds")]

    operations = [
        migrations.AlterModelOptions(
            name="pointaccount",
            options={"permissions": [("adjust_points", "Can adjust points"), ("use_till", "Can use the till")]},
        ),
    ]

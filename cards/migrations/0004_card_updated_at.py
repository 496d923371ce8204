from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("cards", "0003_serial")]

    operations = [
        # Of cards that are there already it says when it was added: what changed them last, nobody noted.
        migrations.AddField("card", "updated_at", models.DateTimeField(db_default=Now(), editable=False)),
    ]

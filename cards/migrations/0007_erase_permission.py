from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("cards", "0006_merge_and_erase")]

    operations = [
        migrations.AlterModelOptions(
            name="customer", options={"permissions": [("erase_customer", "Can erase customers")]}
        ),
    ]

from django.db import migrations, models


def serial(sequence: str) -> models.BigIntegerField:
    return models.BigIntegerField(
        db_default=models.Func(models.Value(sequence), function="nextval"), editable=False, unique=True
    )


class Migration(migrations.Migration):
    dependencies = [("cards", "0002_status_before_block")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE cards_customer_serial", "DROP SEQUENCE cards_customer_serial"),
        migrations.RunSQL("CREATE SEQUENCE cards_card_serial", "DROP SEQUENCE cards_card_serial"),
        migrations.AddField("customer", "serial", serial("cards_customer_serial")),
        migrations.AddField("card", "serial", serial("cards_card_serial")),
    ]

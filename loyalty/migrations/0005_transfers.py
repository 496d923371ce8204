import django.core.validators
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0004_smallest_limit"),
    ]

    operations = [
        migrations.AddField(
            model_name="program",
            name="transfer_daily_points",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Most points that a customer may send in a day of the programme. Empty: no limit.",
                max_digits=15,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                verbose_name="points sent a day",
            ),
        ),
        migrations.AddField(
            model_name="program",
            name="transfers_enabled",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Whether customers may send points to one another.",
                verbose_name="transfers",
            ),
        ),
    ]

import django.core.validators
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0007_notices"),
    ]

    operations = [
        migrations.AddField(
            model_name="program",
            name="margin_percent",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Per cent of a sale that stays with the shop: what reports work out the return with.",
                max_digits=5,
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(Decimal("0")),
                    django.core.validators.MaxValueValidator(Decimal("100")),
                ],
                verbose_name="margin",
            ),
        ),
    ]

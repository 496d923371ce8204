import django.core.validators
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("points", "0020_reminders"),
    ]

    operations = [
        migrations.AddField(
            model_name="pointdefinition",
            name="point_value",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="In the programme's currency: what reports count points as. Empty: they tell no money.",
                max_digits=12,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                verbose_name="value of a point",
            ),
        ),
    ]

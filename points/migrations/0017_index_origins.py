from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

# The check that is validated before spares the look at every row under a lock.
NAMED = """
ALTER TABLE points_pointlot ADD CONSTRAINT lot_names_its_entry CHECK (entry_id IS NOT NULL) NOT VALID;
ALTER TABLE points_pointlot VALIDATE CONSTRAINT lot_names_its_entry;
ALTER TABLE points_pointlot ALTER COLUMN entry_id SET NOT NULL;
ALTER TABLE points_pointlot DROP CONSTRAINT lot_names_its_entry;
ALTER TABLE points_pointlot DROP CONSTRAINT lot_was_made_by_an_entry, ADD CONSTRAINT lot_was_made_by_an_entry
    FOREIGN KEY (account_id, entry_id) REFERENCES points_pointtransaction (account_id, id) NOT VALID;
ALTER TABLE points_pointlot VALIDATE CONSTRAINT lot_was_made_by_an_entry;
"""
UNNAMED = """
ALTER TABLE points_pointlot ALTER COLUMN entry_id DROP NOT NULL;
ALTER TABLE points_pointlot DROP CONSTRAINT lot_was_made_by_an_entry, ADD CONSTRAINT lot_was_made_by_an_entry
    FOREIGN KEY (account_id, id) REFERENCES points_pointtransaction (account_id, id);
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("points", "0016_name_the_entries_of_lots")]

    operations = [
        migrations.RunSQL(
            NAMED,
            UNNAMED,
            state_operations=[
                migrations.AlterField("pointlot", "entry_id", models.UUIDField(help_text="The entry that made it."))
            ],
        ),
        AddIndexConcurrently(
            "pointlot",
            models.Index(
                fields=["account", "origin_id"], condition=models.Q(origin_id__isnull=False), name="lot_account_origin"
            ),
        ),
        ValidateConstraint("lotuse", "use_held_is_of_a_lot"),
        ValidateConstraint("pointaccount", "account_held_not_negative"),
        ValidateConstraint("pointaccount", "account_without_entries_is_empty"),
        ValidateConstraint("pointaccount", "account_that_is_over_is_empty"),
        ValidateConstraint("pointtransaction", "entry_held_not_negative"),
        ValidateConstraint("pointtransaction", "entry_has_a_reason_until_it_is_erased"),
        ValidateConstraint("pointtransaction", "entry_of_two_accounts_names_the_other"),
    ]

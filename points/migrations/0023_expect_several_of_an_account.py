from django.db import migrations

# Where most accounts have one entry, the planner takes any index that begins with the account to know one row as well as
# the index of the whole key, and all entries of an account that has thousands are read. It is told to expect ten of each.
TABLES = ("points_pointtransaction", "points_pointlot", "points_lotuse")


class Migration(migrations.Migration):
    dependencies = [("points", "0022_index_rare_types")]

    operations = [
        migrations.RunSQL(
            [f"ALTER TABLE {table} ALTER COLUMN account_id SET (n_distinct = -0.1)" for table in TABLES],
            [f"ALTER TABLE {table} ALTER COLUMN account_id RESET (n_distinct)" for table in TABLES],
        ),
    ]

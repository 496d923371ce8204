"""Files that staff bring: what is to become of each, its contents while they are needed, and which rows have faults."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from loyalty import ids
from loyalty.models import Program
from points.models import PointDefinition


class Import(models.Model):
    """A file that is brought into a programme: checked first, then imported when a member of staff says so."""

    class Kind(models.TextChoices):
        """What each row of the file is."""

        CUSTOMERS = "customers", "Customers"
        CARDS = "cards", "Cards"
        OPENING_BALANCES = "opening_balances", "Opening balances"
        PURCHASES = "purchases", "Purchases"
        REWARDS = "rewards", "Rewards"

    class State(models.TextChoices):
        """How far it is. In the first and the third one a worker is at it, or will be."""

        UPLOADED = "uploaded", "Being checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Under way"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(
        Program, models.PROTECT, db_index=False, related_name="imports", verbose_name="programme"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    definition = models.ForeignKey(
        PointDefinition,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="Which points, where a row does not say. Null: the programme's default ones.",
    )
    rate = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, help_text="Points a unit of each purchase. Null: by the rules."
    )
    source = models.CharField(max_length=50, help_text="Tells files of purchases or balances apart.")
    changes_existing = models.BooleanField(default=False, help_text="Whether customers who are there are changed.")
    is_whole = models.BooleanField(default=False, help_text="Whether a fault in one row stops all of it.")
    file_name = models.CharField(max_length=200)
    file_type = models.CharField(max_length=4, help_text="csv or xlsx.")
    file_size = models.PositiveBigIntegerField(help_text="In bytes.")
    columns_read = ArrayField(models.CharField(max_length=50), default=list)
    columns_ignored = ArrayField(models.CharField(max_length=50), default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    place = models.PositiveIntegerField(default=0, help_text="How many rows the check, or the import, is done with.")
    row_count = models.PositiveIntegerField(null=True, help_text="How many there are. Null: not read yet.")
    added_count = models.PositiveIntegerField(default=0, help_text="Rows that made or posted something.")
    changed_count = models.PositiveIntegerField(default=0, help_text="Rows that changed something.")
    known_count = models.PositiveIntegerField(default=0, help_text="Rows whose subject was there already.")
    nothing_count = models.PositiveIntegerField(default=0, help_text="Purchases that earned nothing.")
    faulty_count = models.PositiveIntegerField(default=0, help_text="Rows with a fault.")
    failure = models.CharField(max_length=500, blank=True, help_text="Why it failed.")
    uploaded_by = models.CharField(max_length=150)
    confirmed_by = models.CharField(max_length=150, blank=True)
    cancelled_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    checked_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    claimed_by = models.UUIDField(null=True, help_text="Which run works on it.")
    claimed_until = models.DateTimeField(null=True, help_text="When another run may, if that one says nothing more.")
    fruitless = models.PositiveSmallIntegerField(default=0, help_text="How many runs have done no row of it.")

    class Meta:
        default_permissions = ("add", "view")
        permissions = [("export_data", "Can export data")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(row_count=None) | models.Q(place__lte=models.F("row_count")),
                name="import_place_is_in_the_file",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_at__isnull=False) | ~models.Q(state__in=["running", "done"]),
                name="import_runs_when_confirmed",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=False, state__in=["done", "failed", "cancelled"])
                | models.Q(ended_at=None, state__in=["uploaded", "checked", "running"]),
                name="import_ends_once",
            ),
        ]
        indexes = [
            models.Index(fields=["program", "id"], name="import_program_id"),
            models.Index(
                fields=["created_at", "id"],
                condition=models.Q(state__in=["uploaded", "checked", "running"]),
                name="import_not_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.file_name}"


class ImportChunk(models.Model):
    """A part of an import's file. The database keeps it: that is what all machines share. Deleted with the import's
    end."""

    pk = models.CompositePrimaryKey("of_id", "number")
    of = models.ForeignKey(Import, models.PROTECT, db_index=False, related_name="chunks")
    number = models.PositiveIntegerField(help_text="0, 1, 2 …")
    content = models.BinaryField(max_length=1 << 20)


class ImportFault(models.Model):
    """Why a row cannot be imported, found by the check or while it was imported. It repeats nothing of the row."""

    of = models.ForeignKey(Import, models.PROTECT, db_index=False, related_name="faults")
    in_run = models.BooleanField(help_text="Whether it was found while the rows were imported.")
    row = models.PositiveIntegerField(help_text="As a spreadsheet numbers it: the headings are row 1.")
    column = models.CharField(max_length=50, blank=True)
    text = models.CharField(max_length=300)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["of", "in_run", "row", "id"], name="import_fault_of_import")]

    def __str__(self) -> str:
        return f"{self.row}: {self.text}"

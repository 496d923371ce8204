"""How pages of the theme write moments: as all others do."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i T"

"""How pages of the theme write moments: as all others do. Days in letters to customers stay as they are."""

DATETIME_FORMAT = "j M Y, H:i T"

"""Records and tables that steps hand over, and how they are saved and loaded."""

"""Routes of the console's pages, a file a page."""

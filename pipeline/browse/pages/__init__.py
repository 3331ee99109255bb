"""What the pages of `refinery browse` show, one module a page."""

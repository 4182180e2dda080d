"""The schema of the database: tables, roles, and the migrations that make them."""

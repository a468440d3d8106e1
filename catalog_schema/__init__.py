"""The catalog's SQL: one relation per file, `tables/` and `views/`.

File name = relation name. The first comment line of a file says what one row is, the second
gives a query to try. `datacat.catalog.schema` loads them; nothing else lives here.
"""

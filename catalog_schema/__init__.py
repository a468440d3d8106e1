"""The catalog's SQL: one relation per file, `tables/`, `views/` and `supplied/`.

`supplied/` holds the views whose rows are not in the catalog: they are made for one question.

File name = relation name. The first comment line of a file says what one row is, the second
gives a query to try. `datacat.catalog.schema` loads them; nothing else lives here.
"""
